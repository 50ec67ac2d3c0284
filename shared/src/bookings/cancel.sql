-- Cancels a hold that has not ended and releases its seats.
--
-- $1 show_id bigint, $2 id uuid, $3 holder text: derived from the subject of the caller's token, or NULL
--
-- Locks: the booking, then one row of seat_pools.
-- Outcomes: no row: no such booking, or it belongs to another subject. Otherwise the booking as it is now, and changed:
-- whether this call cancelled it. Still PENDING: its hold has ended and nothing was changed. The expiry releases its
-- seats, and a payment that arrives is a late one.
--
-- The clock is read after the lock is held, as in confirm.sql.
WITH locked AS MATERIALIZED (
    SELECT * FROM bookings
    WHERE show_id = $1 AND id = $2
        AND anonymised_at IS NULL AND (holder IS NULL OR NOT starts_with(holder, 'sub:') OR holder = $3)
    FOR UPDATE
), clocked AS MATERIALIZED (
    SELECT show_id, id, status, expires_at, clock_timestamp() AS now FROM locked
), released AS (
    UPDATE bookings
    SET status = 'FAILED', failure_reason = 'cancelled', settled_at = clocked.now
    FROM clocked
    WHERE bookings.show_id = clocked.show_id AND bookings.id = clocked.id
        AND clocked.status = 'PENDING' AND clocked.expires_at > clocked.now
    RETURNING bookings.*
