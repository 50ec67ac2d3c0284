-- Takes seats from any one pool and makes the booking, or does nothing. book/refusal.sql follows in the same
-- transaction.
--
-- $1 show_id bigint, $2 id uuid, $3 user_name text, $4 seats integer, $5 hold double precision (seconds),
-- $6 idempotency_key text or NULL, $7 holder text, and the holder's limits, which the show's own override:
-- $8 max_pending_seats integer, $9 max_seats integer, $10 max_unpaid_holds integer; $11 times integer: how many holders
-- this one counts as; $12 where the search for a pool starts, double precision in [0, 1)
--
-- Locks: the holder of the show, then one row of seat_pools. It waits for both; for the pool at most 500 ms if the show
-- has other pools. No pool if none has the seats.
-- Outcomes: the booking. Or no row, and nothing changed: the request may not be booked, no single pool has the seats,
-- or the pool ran out while this statement waited for it. BXBSY: too many bookings of the holder are in progress.
-- lock_not_available: another transaction keeps that pool locked.
WITH place AS MATERIALIZED (
    SELECT floor($12 * pools)::integer AS start, price_minor, currency
    FROM shows
    WHERE id = $1 AND start_time > clock_timestamp() AND max_seats_per_booking >= $4
        AND NOT EXISTS (SELECT FROM bookings WHERE show_id = $1 AND id = $2)
        AND NOT EXISTS (SELECT FROM bookings WHERE show_id = $1 AND idempotency_key = $6)
        AND admit_or_fail(
            $1, $7, $4, coalesce(max_pending_seats_per_holder, $8) * $11, most_seats(total_seats, max_seats_per_holder, $9, $11), $10 * $11,
            $5, $11, CASE WHEN pools > 1 THEN 500 END)
), taken AS (
    -- Takes the first pool that has the seats, starting at a random one and wrapping around: bookings spread over all
    -- pools, and the last seats are found wherever they are. It waits for that one row. Skipping locked rows instead
    -- would find nothing when all are locked, and would report a show as sold out that is not.
    UPDATE seat_pools
    SET free = free - $4
    WHERE show_id = $1 AND free >= $4 AND pool_no = (
        SELECT pool_no FROM (
            (SELECT pool_no FROM seat_pools
             WHERE show_id = $1 AND free >= $4 AND pool_no >= (SELECT start FROM place)
             ORDER BY pool_no LIMIT 1)
            UNION ALL
            (SELECT pool_no FROM seat_pools
             WHERE show_id = $1 AND free >= $4 AND pool_no < (SELECT start FROM place)
             ORDER BY pool_no LIMIT 1)
        ) AS candidates
        LIMIT 1)
    -- The hold starts now that the lock is held, not when the wait for it began.
    RETURNING clock_timestamp() AS now
)
INSERT INTO bookings (
    show_id, id, user_name, seats, status, created_at, expires_at, idempotency_key, holder, amount_minor, currency)
SELECT $1, $2, $3, $4, 'PENDING', now, now + make_interval(secs => $5), $6, $7, place.price_minor * $4, place.currency
FROM taken, place
RETURNING id
