-- Takes seats from the connection's own pool and makes the booking; or does nothing, for book_search.sql and
-- book_refused.sql to go on with.
--
-- $1 show_id bigint, $2 id uuid, $3 user_name text, $4 seats integer, $5 hold double precision (seconds),
-- $6 idempotency_key text or NULL, $7 holder text, and what a holder may have unless the show says otherwise:
-- $8 max_pending_seats integer, $9 max_seats integer, $10 max_unpaid_holds integer; $11 times integer: how many holders
-- this one counts for
--
-- Locks: the holder of the show, then one row of seat_pools, both waited for; for one execution and one commit.
-- Outcomes: the booking. Or no row, and nothing changed: the request may not be booked, or this pool has too few seats.
-- unique_violation, and nothing changed: another request with this id or key made a booking just now.
--
-- It is this short since it is what a popular show is sold with: it has to keep up with commits that do not contend.
WITH place AS MATERIALIZED (
    -- Process ids of connections are mostly consecutive, so as many connections as there are pools have a pool each: no
    -- two of them wait for one row. Every 50 ms all move on by one pool together, so that pools empty evenly however
    -- few the connections are.
    SELECT
        ((pg_backend_pid() + floor(date_part('epoch', now()) * 20)::bigint) % pools)::integer AS pool_no,
        price_minor, currency
    FROM shows
    WHERE id = $1 AND start_time > clock_timestamp() AND max_seats_per_booking >= $4
        -- A repeated request is told by a read. Only two at once meet at the unique index, which keeps them apart.
        AND ($6 IS NULL OR NOT EXISTS (SELECT FROM bookings WHERE show_id = $1 AND idempotency_key = $6))
        AND admit_holder(
            $1, $7, $4, coalesce(max_pending_seats_per_holder, $8) * $11, coalesce(max_seats_per_holder, $9) * $11, $10 * $11,
            $5)
), taken AS (
    UPDATE seat_pools
    SET free = free - $4
    WHERE show_id = $1 AND free >= $4 AND pool_no = (SELECT pool_no FROM place)
    -- The hold starts now that the lock is held, not when the wait for it began.
    RETURNING clock_timestamp() AS now
)
INSERT INTO bookings (
    show_id, id, user_name, seats, status, created_at, expires_at, idempotency_key, holder, amount_minor, currency)
SELECT $1, $2, $3, $4, 'PENDING', now, now + make_interval(secs => $5), $6, $7, place.price_minor * $4, place.currency
FROM taken, place
RETURNING show_id, id, user_name, seats, status, failure_reason, created_at, expires_at, settled_at,
    amount_minor, currency
