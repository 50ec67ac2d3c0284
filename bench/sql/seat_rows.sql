-- A row per seat, taken with SKIP LOCKED: no booking waits, and each picks the first seats that no other is taking.
-- Parameters: own_pool.sql (shared).
WITH picked AS MATERIALIZED (
    SELECT seat_no FROM seats
    WHERE show_id = $1 AND booking_id IS NULL
    ORDER BY seat_no
    LIMIT $4
    FOR UPDATE SKIP LOCKED
), taken AS (
    UPDATE seats
    SET booking_id = $2
    FROM picked
    WHERE seats.show_id = $1 AND seats.seat_no = picked.seat_no AND (SELECT count(*) FROM picked) = $4
    RETURNING seats.seat_no
)
INSERT INTO bookings (show_id, id, user_name, seats, status, created_at, expires_at, idempotency_key, holder)
SELECT $1, $2, $3, $4, 'PENDING', clock_timestamp(), clock_timestamp() + make_interval(secs => $5), $6, $7
WHERE EXISTS (SELECT FROM taken)
