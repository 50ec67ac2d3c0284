-- Holds seats of one pool and makes the booking, or says why not.
--
-- $1 show_id bigint, $2 id uuid, $3 user_name text, $4 seats integer, $5 hold double precision (seconds),
-- $6 idempotency_key text or NULL, $7 where the search for a pool starts, double precision in [0, 1)
--
-- Locks: one row of seat_pools, waited for; for one execution and one commit. None when the answer is no.
-- Outcomes: no row: no such show. One row otherwise:
--   id not NULL                the booking, made now (is_new) or by an earlier request with this id or key
--   started, max_seats         the show's state, for the refusal
--   available_seats            NULL if the booking was made; else the show's free seats when the statement began.
--                              At least $4 and no booking: the pool ran dry while we waited (was_there), so look again,
--                              or no pool alone has $4 seats.
WITH show AS MATERIALIZED (
    SELECT pools, max_seats_per_booking AS max_seats, start_time <= clock_timestamp() AS started
    FROM shows
    WHERE id = $1
), earlier AS MATERIALIZED (
    SELECT * FROM bookings WHERE show_id = $1 AND id = $2
    UNION ALL
    SELECT * FROM bookings WHERE show_id = $1 AND idempotency_key = $6 AND id <> $2
), allowed AS MATERIALIZED (
    SELECT floor($7 * pools)::integer AS first_pool
    FROM show
    WHERE NOT started AND $4 <= max_seats AND NOT EXISTS (SELECT FROM earlier)
), taken AS (
    -- The first pool that has the seats, from a random one on and round again: bookings spread over all pools, and the
    -- last seats are found wherever they are. It waits for that one row; to skip locked rows would find nothing when
    -- all are locked, and waiting is what makes throughput.
    UPDATE seat_pools
    SET free = free - $4
    WHERE show_id = $1 AND free >= $4 AND pool_no = (
        SELECT pool_no FROM (
            (SELECT pool_no FROM seat_pools
             WHERE show_id = $1 AND free >= $4 AND pool_no >= (SELECT first_pool FROM allowed)
             ORDER BY pool_no LIMIT 1)
            UNION ALL
            (SELECT pool_no FROM seat_pools
             WHERE show_id = $1 AND free >= $4 AND pool_no < (SELECT first_pool FROM allowed)
             ORDER BY pool_no LIMIT 1)
        ) AS candidates
        LIMIT 1)
    -- The hold starts now that the lock is held, not when the wait for it began.
    RETURNING clock_timestamp() AS now
), booked AS (
    INSERT INTO bookings (show_id, id, user_name, seats, status, created_at, expires_at, idempotency_key)
    SELECT $1, $2, $3, $4, 'PENDING', now, now + make_interval(secs => $5), $6
    FROM taken
    RETURNING *
)
SELECT booking.*, show.started, show.max_seats, coalesce(is_new, false) AS is_new,
    CASE WHEN booking.id IS NULL
        THEN (SELECT coalesce(sum(free), 0) FROM seat_pools WHERE show_id = $1)
    END AS available_seats,
    CASE WHEN booking.id IS NULL
        THEN EXISTS (SELECT FROM seat_pools WHERE show_id = $1 AND free >= $4)
    END AS was_there
FROM show
LEFT JOIN (
    SELECT *, true AS is_new FROM booked
    UNION ALL
    SELECT *, false AS is_new FROM earlier
) AS booking ON true
