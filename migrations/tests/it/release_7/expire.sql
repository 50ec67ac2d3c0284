-- Expires those of a batch of bookings that are due.
--
-- $1 show_ids bigint[], $2 ids uuid[]: the same number of each, no pair twice
--
-- Locks: the bookings, in the order of (show_id, id), then the pools that their seats go to.
-- Outcomes: a row for each booking that exists: expired (now, by this call), due_in (seconds, of a hold that is not yet
-- due; else NULL).
WITH locked AS MATERIALIZED (
    SELECT bookings.show_id, bookings.id, bookings.status, bookings.expires_at
    FROM bookings
    JOIN unnest($1, $2) AS asked (show_id, id) USING (show_id, id)
    ORDER BY bookings.show_id, bookings.id
    FOR UPDATE OF bookings
), clocked AS MATERIALIZED (
    SELECT *, clock_timestamp() AS now FROM locked
), released AS (
    UPDATE bookings
    SET status = 'FAILED', failure_reason = 'expired', settled_at = clocked.now
    FROM clocked
    WHERE bookings.show_id = clocked.show_id AND bookings.id = clocked.id
        AND clocked.status = 'PENDING' AND clocked.expires_at <= clocked.now
    RETURNING bookings.show_id, bookings.id, bookings.seats
-- (The end of cancel.sql, expire.sql and sweep.sql, which begin with a CTE `released`: the bookings that they failed.)
--
-- Gives the seats of `released` back, to 8 neighbouring pools of a show from a random one on: a random pool of them for
-- each booking. So seats do not queue behind one row, and a batch of a thousand bookings does not lock all 256 pools
-- of a show that is being sold. A pool is changed once for all that goes to it.
--
-- Locks: those pool rows, in the order of (show_id, pool_no), after the locks of the bookings.
-- Outcomes: the CTE `returned`, one row: seats, those given back. If they are not those that were released the
-- statement fails with division_by_zero, and nothing was changed.
), start AS MATERIALIZED (
    SELECT random() AS at
), homes AS MATERIALIZED (
    SELECT
        released.show_id,
        (floor(start.at * shows.pools)::integer + floor(random() * 8)::integer) % shows.pools AS pool_no,
        released.seats
    FROM released
    CROSS JOIN start
    JOIN shows ON shows.id = released.show_id
), sums AS MATERIALIZED (
    SELECT show_id, pool_no, sum(seats) AS seats FROM homes GROUP BY show_id, pool_no
), locked_pools AS MATERIALIZED (
    SELECT seat_pools.show_id, seat_pools.pool_no, sums.seats
    FROM seat_pools
    JOIN sums USING (show_id, pool_no)
    ORDER BY seat_pools.show_id, seat_pools.pool_no
    FOR UPDATE OF seat_pools
), given AS (
    UPDATE seat_pools
    SET free = seat_pools.free + locked_pools.seats
    FROM locked_pools
    WHERE seat_pools.show_id = locked_pools.show_id AND seat_pools.pool_no = locked_pools.pool_no
    RETURNING locked_pools.seats
), returned AS MATERIALIZED (
    SELECT given_seats / (given_seats = released_seats)::integer AS seats
    FROM (SELECT coalesce(sum(seats), 0) AS given_seats FROM given) AS g,
        (SELECT coalesce(sum(seats), 0) AS released_seats FROM released) AS r
)
SELECT clocked.show_id, clocked.id, released.id IS NOT NULL AS expired,
    CASE WHEN clocked.status = 'PENDING' AND released.id IS NULL
        THEN extract(epoch FROM clocked.expires_at - clocked.now)::double precision
    END AS due_in
FROM clocked
CROSS JOIN returned
LEFT JOIN released USING (show_id, id)
