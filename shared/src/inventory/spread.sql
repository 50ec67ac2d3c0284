-- Spreads a show's free seats evenly over the pools that it uses. Runs after lock_pools.sql in the same transaction, as
-- its own statement, so that it sees what others committed while lock_pools.sql waited.
--
-- $1 show_id bigint, $2 pools integer
--
-- Locks: no more than lock_pools.sql already holds.
-- Outcomes: none. The sum of free is unchanged.
UPDATE seat_pools
SET free = CASE WHEN pool_no < $2 THEN total.free / $2 + (pool_no < total.free % $2)::integer ELSE 0 END
FROM (SELECT sum(free) AS free FROM seat_pools WHERE show_id = $1) AS total
WHERE show_id = $1
