-- Makes the bookings of one holder and show take turns until the transaction ends.
--
-- Parameters: the_show, the_holder.
-- Locks: the holder of the show, an advisory lock that comes before any pool. Two holders with the same hash only wait for each
-- other.
-- Outcomes: none.
-- Called by: count_holder, lock_payment.
CREATE OR REPLACE FUNCTION lock_holder(the_show bigint, the_holder text) RETURNS void LANGUAGE sql VOLATILE AS $$
    SELECT pg_advisory_xact_lock(hashtextextended(the_holder, the_show))
$$;
