-- For functions of an earlier release: admit without a limit on how many wait for the turn, and for one holder.
--
-- Parameters: as in admit.
-- Locks: as in admit.
-- Outcomes: true or false.
-- Called by: functions that were deployed before the migration V13. A later release drops it.
CREATE OR REPLACE FUNCTION admit_holder(
    the_show bigint, the_holder text, wanted integer, max_pending integer, max_in_all integer, allowed integer,
    hold_seconds double precision
) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    IF pg_advisory_xact_lock(hashtextextended(the_holder, the_show)) IS NULL THEN
        RETURN false;
    END IF;
    RETURN admit(the_show, the_holder, wanted, max_pending, max_in_all, allowed, hold_seconds, 1, NULL);
END
$$;
