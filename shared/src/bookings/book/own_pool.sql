-- Takes seats from the connection's own pool and makes the booking; or does nothing, for book/any_pool.sql and
-- book/refusal.sql to go on with.
--
-- $1 show_id bigint, $2 id uuid, $3 user_name text, $4 seats integer, $5 hold double precision (seconds),
-- $6 idempotency_key text or NULL, $7 holder text, and what a holder may have unless the show says otherwise:
-- $8 max_pending_seats integer, $9 max_seats integer, $10 max_unpaid_holds integer; $11 times integer: how many holders
-- this one counts for
--
-- Locks: the holder of the show, then one row of seat_pools, both waited for; for one execution and one commit. Few wait for one
-- holder, as admit says. For the pool, where there are others, nobody waits longer than 100 ms: a pool that one has to queue for
-- is free within some tens of ms, and one that is not is somebody's who keeps it.
-- Outcomes: what the request does not say of the booking, which is PENDING, and is_busy false. Or a row of NULLs, is_busy true, and
-- nothing changed: too many bookings of the holder are in progress. Or no row, and nothing changed: the request may not be booked,
-- or this pool has too few seats.
-- lock_not_available, and nothing changed: somebody keeps this pool locked, and others may be free.
-- unique_violation, and nothing changed: another request with this id or key made a booking just now.
--
-- It is this short since it is what a popular show is sold with: it has to keep up with commits that do not contend.
WITH place AS MATERIALIZED (
    -- Process ids of connections are mostly consecutive, so as many connections as there are pools have a pool each: no
    -- two of them wait for one row. Every 50 ms all move on by one pool together, so that pools empty evenly however
    -- few the connections are.
    SELECT
        ((pg_backend_pid() + floor(date_part('epoch', now()) * 20)::bigint) % pools)::integer AS pool_no,
        price_minor, currency,
        admit(
            $1, $7, $4, coalesce(max_pending_seats_per_holder, $8) * $11, most_seats(total_seats, max_seats_per_holder, $9, $11), $10 * $11,
            $5, $11, CASE WHEN pools > 1 THEN 100 END) AS is_admitted
    FROM shows
    WHERE id = $1 AND start_time > clock_timestamp() AND max_seats_per_booking >= $4
        -- A repeated request is told by a read. Only two at once meet at the unique index, which keeps them apart.
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
