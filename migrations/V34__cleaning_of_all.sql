-- The settings of the migration `cleaning`, for the tables that have come since: each of them grows with what is sold. shows has few rows,
-- and seat_pools settings of its own.
--
-- Locks: SHARE UPDATE EXCLUSIVE, which no booking waits for.
DO $$
DECLARE
    lacking regclass;
BEGIN
    FOR lacking IN
        SELECT oid
        FROM pg_class
        WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'
            AND relname NOT IN ('shows', 'refinery_schema_history')
            AND NOT EXISTS (SELECT FROM pg_options_to_table(reloptions) WHERE option_name = 'autovacuum_vacuum_scale_factor')
    LOOP
        EXECUTE format(
            'ALTER TABLE %s SET (
                autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 10000,
                autovacuum_vacuum_insert_scale_factor = 0.05, autovacuum_vacuum_insert_threshold = 10000,
                autovacuum_analyze_scale_factor = 0.02, autovacuum_analyze_threshold = 5000)',
            lacking);
    END LOOP;
END
$$;
