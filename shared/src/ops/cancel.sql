-- Gives the seats of a hold back early.
--
-- $1 show_id bigint, $2 id uuid, $3 holder text: the one that a subject's token makes, or NULL
--
-- Locks: the booking, then one row of seat_pools.
-- Outcomes: no row: no such booking, or it is another subject's. Else the booking as it is now, and changed: whether this call
-- cancelled it.
WITH locked AS MATERIALIZED (
    SELECT * FROM bookings
    WHERE show_id = $1 AND id = $2
        AND anonymised_at IS NULL AND (holder IS NULL OR NOT starts_with(holder, 'sub:') OR holder = $3)
    FOR UPDATE
), released AS (
    UPDATE bookings
    SET status = 'FAILED', failure_reason = 'cancelled', settled_at = clock_timestamp()
    FROM locked
    WHERE bookings.show_id = locked.show_id AND bookings.id = locked.id AND locked.status = 'PENDING'
    RETURNING bookings.*
