-- Sets how many pools a show uses and adds the missing rows, empty. lock_pools.sql, spread.sql and get.sql follow in
-- the same transaction. Rows that are no longer used stay, because other transactions may be about to release seats to
-- them.
--
-- $1 show_id bigint, $2 pools integer
--
-- Locks: the show's row, so that two changes of one show are serialised.
-- Outcomes: none. Without such a show, nothing happens.
WITH changed AS (
    UPDATE shows SET pools = $2 WHERE id = $1 RETURNING id
)
INSERT INTO seat_pools (show_id, pool_no, free)
SELECT changed.id, pool_no, 0
FROM changed, generate_series(0, $2 - 1) AS pool_no
ON CONFLICT DO NOTHING
