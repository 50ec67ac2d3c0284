-- Finds the next show whose bookings are due to be anonymised, in the order of start times.
--
-- $1 hours integer: the show started at least this long ago; $2 start_time timestamptz and $3 id bigint: it comes after
-- them
--
-- Locks: none.
-- Outcomes: no row: there is none. Otherwise id, start_time.
SELECT id, start_time
FROM shows
WHERE anonymised_at IS NULL AND start_time <= now() - make_interval(hours => $1) AND (start_time, id) > ($2, $3)
ORDER BY start_time, id
LIMIT 1
