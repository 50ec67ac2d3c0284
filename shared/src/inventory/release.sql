-- (The end of cancel.sql, expire.sql and sweep.sql. Each begins with a CTE `released`: the bookings that it failed.)
--
-- Releases the seats of `released` to 8 neighbouring pools of each show, starting at a random pool: each booking's
-- seats go to a random one of the 8. So releases do not queue for one row, and a batch of a thousand bookings does not
-- lock all 256 pools of a show that is being sold. Each pool is updated once, for all seats that it receives.
--
-- Locks: those pool rows, by (show_id, pool_no), after the locks of the bookings. It waits at most 500 ms for each if
-- every show has more than one pool.
-- Outcomes: the CTE `returned`, one row: seats, the number returned to pools. If it differs from the number released,
-- the statement fails with division_by_zero and nothing is changed. lock_not_available, and nothing changed: another
-- transaction keeps one of the pools locked; a retry picks other pools.
), start AS MATERIALIZED (
    SELECT random() AS at, wait_at_most(CASE WHEN bool_and(shows.pools > 1) THEN 500 END)
    FROM released
    JOIN shows ON shows.id = released.show_id
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
