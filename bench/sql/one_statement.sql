-- The minimum that a booking changes, in one statement: one seat_pools row and one new booking. Parameters:
-- own_pool.sql (shared).
--
-- On one show this is "one statement, one row". With a show per connection it is the limit: no connection waits for
-- another.
WITH taken AS (
    UPDATE seat_pools
    SET free = free - $4
    WHERE show_id = $1 AND pool_no = 0 AND free >= $4
    RETURNING clock_timestamp() AS now
)
INSERT INTO bookings (show_id, id, user_name, seats, status, created_at, expires_at, idempotency_key, holder)
SELECT $1, $2, $3, $4, 'PENDING', now, now + make_interval(secs => $5), $6, $7
FROM taken
