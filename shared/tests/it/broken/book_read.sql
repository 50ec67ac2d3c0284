-- A booking without its lock, first half: it looks at the free seats and locks nothing.
-- $1 show_id bigint
SELECT free FROM seat_pools WHERE show_id = $1 AND pool_no = 0
