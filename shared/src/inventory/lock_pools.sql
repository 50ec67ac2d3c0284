-- Locks all pools of a show, so that seats can be taken from several.
--
-- $1 show_id bigint
--
-- Locks: the show's rows of seat_pools, in the order of pool_no, until the transaction ends.
-- Outcomes: how many rows there are.
SELECT count(*) FROM (
    SELECT FROM seat_pools WHERE show_id = $1 ORDER BY pool_no FOR UPDATE
) AS locked
