-- Takes seats from the connection's own pool and makes the booking. Does nothing if it cannot; book/any_pool.sql and
-- book/refusal.sql then follow.
--
-- $1 show_id bigint, $2 id uuid, $3 user_name text, $4 seats integer, $5 hold double precision (seconds),
-- $6 idempotency_key text or NULL, $7 holder text, and the holder's limits, which the show's own override:
-- $8 max_pending_seats integer, $9 max_seats integer, $10 max_unpaid_holds integer; $11 times integer: how many holders
-- this one counts as
--
-- Locks: the holder of the show, then one row of seat_pools, for one execution and one commit. It waits for both. Only
-- a few transactions wait for one holder: see the function admit. If the show has other pools, it waits at most 100 ms
-- for the pool: a pool that others are queueing for is free within some tens of ms, so after that somebody keeps it
-- locked.
-- Outcomes: the booking's columns that the request does not contain, with is_busy false; the booking is PENDING. Or a
-- row of NULLs with is_busy true, and nothing changed: too many bookings of the holder are in progress. Or no row, and
-- nothing changed: the request may not be booked, or this pool has too few seats.
-- lock_not_available, and nothing changed: another transaction keeps this pool locked; other pools may be free.
-- unique_violation, and nothing changed: another request with this id or key just made a booking.
--
-- The statement is kept short because popular shows are sold with it: it must keep up with commits that do not contend.
WITH place AS MATERIALIZED (
    -- Backend process ids are mostly consecutive, so as many connections as there are pools get a pool each, and no two
    -- wait for the same row. Every 50 ms all connections move on by one pool together, so that pools empty evenly even
    -- with few connections.
    SELECT
        ((pg_backend_pid() + floor(date_part('epoch', now()) * 20)::bigint) % pools)::integer AS pool_no,
        price_minor, currency,
        admit(
            $1, $7, $4, coalesce(max_pending_seats_per_holder, $8) * $11, most_seats(total_seats, max_seats_per_holder, $9, $11), $10 * $11,
            $5, $11, CASE WHEN pools > 1 THEN 100 END) AS is_admitted
    FROM shows
    WHERE id = $1 AND start_time > clock_timestamp() AND max_seats_per_booking >= $4
        -- A repeated request is found by this read. Only two concurrent ones reach the unique index, which keeps them
        -- apart.
        AND ($6 IS NULL OR NOT EXISTS (SELECT FROM bookings WHERE show_id = $1 AND idempotency_key = $6))
), taken AS (
    UPDATE seat_pools
    SET free = free - $4
    WHERE show_id = $1 AND free >= $4 AND pool_no = (SELECT pool_no FROM place WHERE is_admitted)
    -- The hold starts now that the lock is held, not when the wait for it began.
    RETURNING clock_timestamp() AS now
), made AS (
    INSERT INTO bookings (
        show_id, id, user_name, seats, status, created_at, expires_at, idempotency_key, holder, amount_minor, currency)
    SELECT $1, $2, $3, $4, 'PENDING', now, now + make_interval(secs => $5), $6, $7, place.price_minor * $4, place.currency
    FROM taken, place
    RETURNING created_at, expires_at, amount_minor, currency
)
SELECT created_at, expires_at, amount_minor, currency, false AS is_busy FROM made
UNION ALL
SELECT NULL, NULL, NULL, NULL, true FROM place WHERE is_admitted IS NULL
