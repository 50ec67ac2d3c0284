-- Gives the seats of a hold back early.
--
-- $1 show_id bigint, $2 id uuid
--
-- Locks: the booking, then one row of seat_pools.
-- Outcomes: no row: no such booking. Else the booking as it is now, and changed: whether this call cancelled it.
WITH locked AS MATERIALIZED (
    SELECT * FROM bookings WHERE show_id = $1 AND id = $2 FOR UPDATE
), released AS (
    UPDATE bookings
    SET status = 'FAILED', failure_reason = 'cancelled', settled_at = clock_timestamp()
    FROM locked
    WHERE bookings.show_id = locked.show_id AND bookings.id = locked.id AND locked.status = 'PENDING'
    RETURNING bookings.*
