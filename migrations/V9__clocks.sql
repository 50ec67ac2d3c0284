-- What a clock may be: one that an answer can carry.
--
-- A row whose clock is infinity, or of a year that RFC 3339 or the functions do not have, is a row that nobody can read. No clock
-- of this system is before 1970 either, where its lists begin. So the schema refuses such clocks, in every timestamptz column of
-- every table, by one constraint a table: <table>_clocks. A migration that adds a table or a column with a clock says
--
--   SELECT bound_clocks('the_table');
--
-- and a later one ALTER TABLE the_table VALIDATE CONSTRAINT the_table_clocks, unless the table is new and empty. A test asks the
-- catalog whether any column was forgotten.

-- Whether clocks are such, by the earliest and the latest of them: from 1970 to the last microsecond that the functions' library
-- knows, which has room for an offset of 26 hours before the year 10000. Where all are NULL it is NULL, which is no violation.
--
-- It costs a booking 2 µs of 259. Written in SQL it costs 5: the server then reads its text for each booking, where this is read
-- once a session.
CREATE FUNCTION clocks_are_readable(earliest timestamptz, latest timestamptz) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
    RETURN earliest >= '1970-01-01 00:00:00+00' AND latest <= '9999-12-30 22:00:00.999999+00';
END
$$;

-- Makes the constraint of a table for the columns that it has by now, or makes it anew. It holds for what is written from then on,
-- and for older rows once it was validated.
--
-- Locks: the table, for a moment. So each table that is in use has a migration of its own.
CREATE FUNCTION bound_clocks(of_table regclass) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    its_name text;
    clocks   text;
BEGIN
    SELECT relname || '_clocks' INTO its_name FROM pg_class WHERE oid = of_table;
    SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) INTO clocks
    FROM pg_attribute
    WHERE attrelid = of_table AND attnum > 0 AND NOT attisdropped AND atttypid = 'timestamptz'::regtype;
    EXECUTE format(
        'ALTER TABLE %1$s DROP CONSTRAINT IF EXISTS %2$I,
            ADD CONSTRAINT %2$I CHECK (clocks_are_readable(least(%3$s), greatest(%3$s))) NOT VALID',
        of_table, its_name, clocks);
END
$$;

-- It is for migrations.
REVOKE EXECUTE ON FUNCTION bound_clocks FROM boxoffice_app;
