-- Holds seats of several pools and makes the booking, or says why not. It runs after lock_pools.sql in the same
-- transaction, as a statement of its own: so its snapshot is younger than its locks, and it sees what others committed
-- while it waited.
--
-- $1 show_id bigint, $2 id uuid, $3 user_name text, $4 seats integer, $5 hold double precision (seconds),
-- $6 idempotency_key text or NULL
--
-- Locks: none that lock_pools.sql does not hold.
-- Outcomes: as book.sql. No booking here means that available_seats is less than $4, and that is final.
WITH show AS MATERIALIZED (
    SELECT max_seats_per_booking AS max_seats, start_time <= clock_timestamp() AS started
    FROM shows
    WHERE id = $1
), earlier AS MATERIALIZED (
    SELECT * FROM bookings WHERE show_id = $1 AND id = $2
    UNION ALL
    SELECT * FROM bookings WHERE show_id = $1 AND idempotency_key = $6 AND id <> $2
), counted AS MATERIALIZED (
    -- seats_before: the free seats of the pools that come first. The fullest come first, so that few rows change.
    SELECT pool_no, free, sum(free) OVER fullest - free AS seats_before, sum(free) OVER () AS seats_in_all
    FROM seat_pools
    WHERE show_id = $1 AND free > 0
    WINDOW fullest AS (ORDER BY free DESC, pool_no)
), taken AS (
    UPDATE seat_pools
    SET free = seat_pools.free - least(counted.free, $4 - counted.seats_before)
    FROM counted
    WHERE seat_pools.show_id = $1 AND seat_pools.pool_no = counted.pool_no
        AND counted.seats_before < $4 AND counted.seats_in_all >= $4
        AND EXISTS (SELECT FROM show WHERE NOT started AND $4 <= max_seats)
        AND NOT EXISTS (SELECT FROM earlier)
    RETURNING least(counted.free, $4 - counted.seats_before) AS seats
), booked AS (
    INSERT INTO bookings (show_id, id, user_name, seats, status, created_at, expires_at, idempotency_key)
    SELECT $1, $2, $3, sum(seats), 'PENDING', clock_timestamp(), clock_timestamp() + make_interval(secs => $5), $6
    FROM taken
    HAVING sum(seats) = $4
    RETURNING *
)
SELECT booking.*, show.started, show.max_seats, coalesce(is_new, false) AS is_new,
    CASE WHEN booking.id IS NULL
        THEN (SELECT coalesce(sum(free), 0) FROM seat_pools WHERE show_id = $1)
    END AS available_seats,
    false AS was_there
FROM show
LEFT JOIN (
    SELECT *, true AS is_new FROM booked
    UNION ALL
    SELECT *, false AS is_new FROM earlier
) AS booking ON true
