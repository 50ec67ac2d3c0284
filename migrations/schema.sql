-- The database as it is after all migrations: roles, and then tables, functions and triggers by capability in schema/*.sql.
--
-- Read these files and functions/*.sql to learn what the database holds, and not the migrations V*.sql. Nothing applies them to a
-- real database: `migrate` applies the migrations. A test loads them into an empty database and compares its catalog with that of
-- a migrated one. They are plain SQL with psql's \ir, so psql can load them too:
--
--   createdb scratch && psql --single-transaction --file migrations/schema.sql scratch
--
-- Only refinery_schema_history is not here: the table in which the runner records the migrations that it applied.
--
-- Words of the comments on tables and columns:
--   written by the functions   by the Lambdas, which log in as boxoffice_app
--   personal                   erased on a subject's request, and RetentionDays after the show, or after an event was received
--   kept                       for ever; only rows of holders are ever deleted
--   who may read               boxoffice_app reads every column; boxoffice_read reads what the GRANTs below a table name
--
-- Invariants:
--   for every show: sum(seat_pools.free) + seats of its PENDING and CONFIRMED bookings = shows.total_seats
--   a booking is made only while its holder is within the show's limits, counted under the holder's lock
--   a payment that succeeded is exactly one of confirmed, refund_due, refunded, unclaimed
--   a booking has at most one confirmed payment, of the booking's amount, and is CONFIRMED then
--   an event has its effect once, in the transaction that records it
--   an event of an anonymised booking has no payload, whichever of the two came first
--   where holders.is_counted: its sums are those of the holder's live bookings

-- Roles. They belong to the server, so several databases share them. They have no password until `migrate` or an administrator
-- gives them one.
--
--   the owner        runs the migrations
--   boxoffice_app    the functions: may do what their statements need
--   boxoffice_read   reporting: reads everything but personal data

DO $$
BEGIN
    IF to_regrole('boxoffice_app') IS NULL THEN
        CREATE ROLE boxoffice_app LOGIN;
    END IF;
    IF to_regrole('boxoffice_read') IS NULL THEN
        CREATE ROLE boxoffice_read LOGIN;
    END IF;
END
$$;

-- Timeouts belong to the role: RDS Proxy refuses startup options, and SET pins its sessions. Each fits into the next: lock 2 s,
-- statement 4 s, a client's patience with one attempt 5 s, two attempts 10 s, the timeout of an API function 15 s.
ALTER ROLE CURRENT_USER SET lock_timeout = '2s';
ALTER ROLE CURRENT_USER SET idle_in_transaction_session_timeout = '5s';

ALTER ROLE boxoffice_app SET lock_timeout = '2s';
ALTER ROLE boxoffice_app SET statement_timeout = '4s';
ALTER ROLE boxoffice_app SET idle_in_transaction_session_timeout = '5s';
-- The statements are short: compiling one takes longer than running it.
ALTER ROLE boxoffice_app SET jit = off;

ALTER ROLE boxoffice_read SET default_transaction_read_only = on;
ALTER ROLE boxoffice_read SET lock_timeout = '2s';
ALTER ROLE boxoffice_read SET statement_timeout = '60s';
ALTER ROLE boxoffice_read SET idle_in_transaction_session_timeout = '60s';

-- PUBLIC may do nothing. Only boxoffice_app may call a function that a later migration creates.

DO $$
BEGIN
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO boxoffice_app, boxoffice_read', current_database());
END
$$;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO boxoffice_app, boxoffice_read;
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT EXECUTE ON FUNCTIONS TO boxoffice_app;

-- Each file comes after the files that it uses.
--
-- Every timestamptz column is in its table's constraint <table>_clocks: a clock that RFC 3339 or the functions cannot express,
-- such as infinity, makes a row that nobody can read.
--
-- Autovacuum of the tables that grow with sales starts at 10,000 dead rows plus a hundredth of the table, which are some seconds
-- of an on-sale. The default is a fifth: 2 million of 10 million bookings. It also starts at a twentieth of new rows, because
-- index-only scans need the visibility map, and a table should not be frozen all at once. Statistics follow at a fiftieth, because
-- the bookings of a show on sale are the newest rows.

\ir functions/clocks_are_readable.sql

\ir schema/shows.sql
\ir schema/bookings.sql
\ir schema/holders.sql
\ir schema/payments.sql
\ir schema/privacy.sql
\ir schema/superseded.sql
\ir functions/bound_clocks.sql

-- Only migrations call it.
REVOKE EXECUTE ON FUNCTION bound_clocks FROM boxoffice_app;
