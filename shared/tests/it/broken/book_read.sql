-- The first half of a booking without its lock: reads the free seats of pool 0.
--
-- $1 show_id bigint
--
-- Locks: none, which is the deliberate error.
SELECT free FROM seat_pools WHERE show_id = $1 AND pool_no = 0
