-- Finds the holds that sweep.sql would expire next, whether or not they are locked.
--
-- $1 limit bigint, $2 shows bigint[]: shows to skip
--
-- Locks: none.
-- Outcomes: show_id and id of at most $1 holds that are due, oldest first.
SELECT show_id, id
FROM bookings
WHERE status = 'PENDING' AND expires_at <= statement_timestamp() AND show_id <> ALL ($2)
ORDER BY expires_at
LIMIT $1
