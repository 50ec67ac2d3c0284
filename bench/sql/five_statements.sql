-- The original in Express: five round trips, with the show's only row locked from the second to the last. Parameters:
-- own_pool.sql (shared).
BEGIN;
SELECT free AS free FROM seat_pools WHERE show_id = $1 AND pool_no = 0 FOR UPDATE \gset
\if :free >= :seats
UPDATE seat_pools SET free = free - $4 WHERE show_id = $1 AND pool_no = 0;
INSERT INTO bookings (show_id, id, user_name, seats, status, created_at, expires_at, idempotency_key, holder)
VALUES ($1, $2, $3, $4, 'PENDING', clock_timestamp(), clock_timestamp() + make_interval(secs => $5), $6, $7);
\endif
COMMIT;
