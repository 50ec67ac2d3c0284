-- The same as admit, for statements that cannot return "too many are in progress".
--
-- Parameters: as in admit.
-- Locks: as in admit.
-- Outcomes: true or false. SQLSTATE BXBSY: too many bookings of the holder are in progress.
-- Called by: the statements that book from any pool or from all pools, and the one that locks a holder before them.
CREATE OR REPLACE FUNCTION admit_or_fail(
    the_show bigint, the_holder text, wanted integer, max_pending bigint, max_in_all bigint, allowed integer,
    hold_seconds double precision, times integer, max_wait integer
) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    admitted CONSTANT boolean := admit(
        the_show, the_holder, wanted, max_pending, max_in_all, allowed, hold_seconds, times, max_wait);
BEGIN
    IF admitted IS NULL THEN
        RAISE SQLSTATE 'BXBSY' USING MESSAGE = 'too many bookings of the holder are in progress';
    END IF;
    RETURN admitted;
END
$$;
