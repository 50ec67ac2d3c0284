-- Locks all pools of a show, so that seats can be taken from several of them.
--
-- $1 show_id bigint
--
-- Locks: the show's rows of seat_pools, by pool_no, until the transaction ends.
-- Outcomes: one row: the number of pools.
SELECT count(*) FROM (
    SELECT FROM seat_pools WHERE show_id = $1 ORDER BY pool_no FOR UPDATE
) AS locked
