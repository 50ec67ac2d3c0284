-- Makes the bookings of one holder and show take turns; lock_pools.sql and book_across.sql follow in the same transaction.
--
-- $1 show_id bigint, $2 holder text
--
-- Locks: the holder of the show, waited for, until the transaction ends.
-- Outcomes: one row, which says nothing.
SELECT lock_holder($1, $2)
