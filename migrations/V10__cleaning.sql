-- What the server does for our role and tables, where its defaults do not fit.
--
-- Each statement of the functions reads some rows by an index. To compile one takes longer than to run it: the planner takes it for
-- a long one where it plans without the values.
DO $$
BEGIN
    -- As in the fifth migration: another database's owner may have made the role, and have done this already.
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'boxoffice_app' AND 'jit=off' = ANY (rolconfig)) THEN
        ALTER ROLE boxoffice_app SET jit = off;
    END IF;
EXCEPTION
    WHEN insufficient_privilege THEN
        RAISE insufficient_privilege USING MESSAGE = format(
            '%s may not change the role boxoffice_app: let an administrator run ALTER ROLE boxoffice_app SET jit = off', current_user);
END
$$;

-- When the server cleans up, table by table. Without this it waits until a fifth of a table is dead: of ten million bookings, two
-- million.
--
-- A booking leaves a dead row when it is confirmed or ends, a payment and an event one or two. A hundredth of the table and 10,000
-- rows are some seconds of an on-sale: a run then reads the pages that changed, and each index once. It is no fixed number, since
-- the work would then grow with the table times its growth.
--
-- New rows alone are reason enough at a twentieth: an index-only scan needs the map of what is visible, and a table that was never
-- frozen is frozen whole, all at once, on some later day. The planner's statistics follow at a fiftieth: the bookings of a show that
-- is being sold are the newest rows.
--
-- Locks: SHARE UPDATE EXCLUSIVE, which no booking waits for.
ALTER TABLE bookings SET (
    autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 10000,
    autovacuum_vacuum_insert_scale_factor = 0.05, autovacuum_vacuum_insert_threshold = 10000,
    autovacuum_analyze_scale_factor = 0.02, autovacuum_analyze_threshold = 5000);

ALTER TABLE payments SET (
    autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 10000,
    autovacuum_vacuum_insert_scale_factor = 0.05, autovacuum_vacuum_insert_threshold = 10000,
    autovacuum_analyze_scale_factor = 0.02, autovacuum_analyze_threshold = 5000);

ALTER TABLE payment_events SET (
    autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 10000,
    autovacuum_vacuum_insert_scale_factor = 0.05, autovacuum_vacuum_insert_threshold = 10000,
    autovacuum_analyze_scale_factor = 0.02, autovacuum_analyze_threshold = 5000);
