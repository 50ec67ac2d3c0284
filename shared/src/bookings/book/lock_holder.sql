-- Makes the bookings of one holder and show take turns; lock_pools.sql and book/all_pools.sql follow in the same transaction.
--
-- $1 show_id bigint, $2 holder text, $3 times integer: how many holders this one counts for
--
-- Locks: the holder of the show, waited for by few, until the transaction ends.
-- Outcomes: one row, which says nothing. BXBSY: too many bookings of the holder are in progress.
SELECT admit_or_fail($1, $2, 0, 0, 0, 0, 1, $3, NULL)
