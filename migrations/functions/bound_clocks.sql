-- Makes the constraint <table>_clocks of a table, or makes it again, over every timestamptz column that the table has now. The
-- constraint is NOT VALID: it holds for rows written from then on, and for older rows once a later migration validates it.
--
-- Parameters: of_table.
-- Locks: the table, for a moment. So each table in use needs a migration of its own.
-- Outcomes: none.
-- Called by: migrations that add a table or a timestamptz column. boxoffice_app may not call it.
CREATE OR REPLACE FUNCTION bound_clocks(of_table regclass) RETURNS void LANGUAGE plpgsql AS $$
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
