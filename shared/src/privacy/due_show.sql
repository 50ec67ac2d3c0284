-- The next show whose bookings are to be anonymised: the one that started first, of those that started so long ago.
--
-- $1 hours integer: how long ago; $2 start_time timestamptz and $3 id bigint: it comes after them
--
-- Locks: none.
-- Outcomes: no row: there is none. Else id, start_time.
SELECT id, start_time
FROM shows
WHERE anonymised_at IS NULL AND start_time <= now() - make_interval(hours => $1) AND (start_time, id) > ($2, $3)
ORDER BY start_time, id
LIMIT 1
