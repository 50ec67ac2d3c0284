-- Takes the lock of lock_holder if it is free.
--
-- Parameters: the_show, the_holder.
-- Locks: the holder of the show. It never waits, so its place in the lock order does not matter.
-- Outcomes: whether the transaction has the lock now.
-- Called by: pay_booking.
CREATE OR REPLACE FUNCTION try_lock_holder(the_show bigint, the_holder text) RETURNS boolean LANGUAGE sql VOLATILE AS $$
    SELECT pg_try_advisory_xact_lock(hashtextextended(the_holder, the_show))
$$;
