-- Optimistic locking: read the row and its version, then change it if the version is unchanged. One attempt: if it
-- changes nothing, the client retries, which is pgbench's next transaction. Parameters: own_pool.sql (shared).
SELECT free AS free, version AS version FROM seat_pools WHERE show_id = $1 AND pool_no = 0 \gset
\if :free >= :seats
WITH taken AS (
    UPDATE seat_pools
    SET free = free - $4, version = version + 1
    WHERE show_id = $1 AND pool_no = 0 AND version = :version::bigint
    RETURNING clock_timestamp() AS now
)
INSERT INTO bookings (show_id, id, user_name, seats, status, created_at, expires_at, idempotency_key, holder)
SELECT $1, $2, $3, $4, 'PENDING', now, now + make_interval(secs => $5), $6, $7
FROM taken;
\endif
