-- A confirmation that reads the clock at the obvious but wrong place: in the predicate, which is evaluated before the
-- wait for the row's lock. A transaction that only locked the row made no new version of it, so the predicate is not
-- evaluated again.
--
-- $1 show_id bigint, $2 id uuid
UPDATE bookings
SET status = 'CONFIRMED', settled_at = clock_timestamp()
WHERE show_id = $1 AND id = $2 AND status = 'PENDING' AND expires_at > clock_timestamp()
