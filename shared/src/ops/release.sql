-- (The end of cancel.sql, expire.sql and sweep.sql, which begin with a CTE `released`: the bookings that they failed.)
--
-- Gives the seats of `released` back. Each booking's seats go to a random pool in use, so that they do not queue behind
-- one row; then a pool is changed once for all that goes to it.
--
-- Locks: those pool rows, in the order of (show_id, pool_no), after the locks of the bookings.
-- Outcomes: the CTE `returned`, one row: seats, those given back. If they are not those that were released the
-- statement fails with division_by_zero, and nothing was changed.
), homes AS MATERIALIZED (
    SELECT released.show_id, floor(random() * shows.pools)::integer AS pool_no, released.seats
    FROM released
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
