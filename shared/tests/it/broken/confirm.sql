-- A confirmation that compares the clock where one would write it at first. The predicate runs before the wait for the
-- row's lock, and whoever only locked the row made no new version of it: so nothing makes it run again.
-- $1 show_id bigint, $2 id uuid
UPDATE bookings
SET status = 'CONFIRMED', settled_at = clock_timestamp()
WHERE show_id = $1 AND id = $2 AND status = 'PENDING' AND expires_at > clock_timestamp()
