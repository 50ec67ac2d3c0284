-- Serialises the bookings of one holder and show. lock_pools.sql and book/all_pools.sql follow in the same transaction.
--
-- $1 show_id bigint, $2 holder text, $3 times integer: how many holders this one counts as
--
-- Locks: the holder of the show, until the transaction ends. Only a few transactions wait for it at a time.
-- Outcomes: one row without meaning. BXBSY: too many bookings of the holder are in progress.
SELECT admit_or_fail($1, $2, 0, 0, 0, 0, 1, $3, NULL)
