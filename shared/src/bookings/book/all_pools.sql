-- Takes seats from several pools and makes the booking. Does nothing if it cannot; book/refusal.sql then says why. Runs
-- after lock_holder.sql and lock_pools.sql in the same transaction, as its own statement: its snapshot is younger than
-- its locks, so it sees what others committed while it waited.
--
-- $1 show_id bigint, $2 id uuid, $3 user_name text, $4 seats integer, $5 hold double precision (seconds),
-- $6 idempotency_key text or NULL, $7 holder text, and the holder's limits, which the show's own override:
-- $8 max_pending_seats integer, $9 max_seats integer, $10 max_unpaid_holds integer; $11 times integer: how many holders
-- this one counts as
--
-- Locks: no more than lock_holder.sql and lock_pools.sql already hold.
-- Outcomes: the booking. Or no row, and nothing changed: the request may not be booked, or the show has too few seats.
WITH counted AS MATERIALIZED (
    -- seats_before: the free seats of the pools that come first. The fullest pools come first, so that few rows change.
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
        AND EXISTS (
            SELECT FROM shows
            WHERE id = $1 AND start_time > clock_timestamp() AND max_seats_per_booking >= $4
                AND admit_or_fail(
                    $1, $7, $4, coalesce(max_pending_seats_per_holder, $8) * $11, most_seats(total_seats, max_seats_per_holder, $9, $11), $10 * $11,
                    $5, $11, NULL))
        AND NOT EXISTS (SELECT FROM bookings WHERE show_id = $1 AND id = $2)
        AND NOT EXISTS (SELECT FROM bookings WHERE show_id = $1 AND idempotency_key = $6)
    RETURNING least(counted.free, $4 - counted.seats_before) AS seats
)
INSERT INTO bookings (
    show_id, id, user_name, seats, status, created_at, expires_at, idempotency_key, holder, amount_minor, currency)
-- Taking a different number of seats than requested is a defect: division_by_zero, and nothing is changed.
SELECT $1, $2, $3, total.seats / (total.seats = $4)::integer, 'PENDING', total.now, total.now + make_interval(secs => $5), $6, $7,
    shows.price_minor * $4, shows.currency
FROM (SELECT sum(seats) AS seats, clock_timestamp() AS now FROM taken) AS total, shows
WHERE total.seats IS NOT NULL AND shows.id = $1
RETURNING id
