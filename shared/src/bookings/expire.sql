-- Expires the bookings of a batch that are due.
--
-- $1 show_ids bigint[], $2 ids uuid[]: of equal length, no pair twice
--
-- Locks: the bookings, by (show_id, id), then the pools that receive their seats.
-- Outcomes: one row for each booking that exists: expired (by this call), due_in (seconds until a hold is due; NULL
-- unless it is pending and not due).
WITH locked AS MATERIALIZED (
    SELECT bookings.show_id, bookings.id, bookings.status, bookings.expires_at
    FROM bookings
    JOIN unnest($1, $2) AS asked (show_id, id) USING (show_id, id)
    ORDER BY bookings.show_id, bookings.id
    FOR UPDATE OF bookings
), clocked AS MATERIALIZED (
    SELECT *, clock_timestamp() AS now FROM locked
), released AS (
    UPDATE bookings
    SET status = 'FAILED', failure_reason = 'expired', settled_at = clocked.now
    FROM clocked
    WHERE bookings.show_id = clocked.show_id AND bookings.id = clocked.id
        AND clocked.status = 'PENDING' AND clocked.expires_at <= clocked.now
    RETURNING bookings.show_id, bookings.id, bookings.seats
