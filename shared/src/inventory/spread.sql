-- Spreads a show's free seats evenly over the pools that it uses. It runs after lock_pools.sql in the same transaction,
-- as a statement of its own, so that it sees what others committed while that waited.
--
-- $1 show_id bigint, $2 pools integer
--
-- Locks: none that lock_pools.sql does not hold.
-- Outcomes: none; the sum of free is what it was.
UPDATE seat_pools
SET free = CASE WHEN pool_no < $2 THEN total.free / $2 + (pool_no < total.free % $2)::integer ELSE 0 END
FROM (SELECT sum(free) AS free FROM seat_pools WHERE show_id = $1) AS total
WHERE show_id = $1
