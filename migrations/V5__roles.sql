-- Who may do what in the database: three roles.
--
--   the owner        runs the migrations, and nothing else
--   boxoffice_app    the functions: what their statements need, and no more
--   boxoffice_read   reporting: reads everything but personal data
--
-- Roles belong to the server and not to a database: several databases may share these two, so they are made only where they
-- are missing. They have no password, so nobody logs in by one: migrate gives boxoffice_app its login (see APP_DATABASE_URL in
-- the README), an administrator gives boxoffice_read one if it is wanted.
--
-- A later migration that makes a table, or has the functions change one more column, grants that to boxoffice_app itself;
-- a function that it makes or replaces is boxoffice_app's to call by the default privileges below.

-- Timeouts as in the second migration, and for its reasons. They are bounds for honest sessions: Postgres lets a role SET its
-- own. boxoffice_read may take a minute, and holds up no cleaning for longer than that.
DO $$
DECLARE
    setting record;
BEGIN
    FOR setting IN
        SELECT * FROM (VALUES
            ('boxoffice_app', 'lock_timeout', '2s'),
            ('boxoffice_app', 'statement_timeout', '4s'),
            ('boxoffice_app', 'idle_in_transaction_session_timeout', '5s'),
            ('boxoffice_read', 'default_transaction_read_only', 'on'),
            ('boxoffice_read', 'lock_timeout', '2s'),
            ('boxoffice_read', 'statement_timeout', '60s'),
            ('boxoffice_read', 'idle_in_transaction_session_timeout', '60s')
        ) AS settings (role, name, value)
    LOOP
        IF to_regrole(setting.role) IS NULL THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I LOGIN', setting.role);
            EXCEPTION
                WHEN duplicate_object OR unique_violation THEN
                    NULL; -- The migration of another database made it just now.
                WHEN insufficient_privilege THEN
                    RAISE insufficient_privilege USING MESSAGE = format(
                        'the role %s is missing, and %s may not create it: let an administrator run ALTER ROLE %2$I CREATEROLE',
                        setting.role, current_user);
            END;
        END IF;
        -- Only where it is missing: another database's owner may have made the role, and it alone may change it.
        IF NOT EXISTS (
            SELECT FROM pg_roles
            WHERE rolname = setting.role AND setting.name || '=' || setting.value = ANY (rolconfig)) THEN
            EXECUTE format('ALTER ROLE %I SET %I = %L', setting.role, setting.name, setting.value);
        END IF;
    END LOOP;
END
$$;

-- Nobody has anything by being somebody: what PUBLIC may do in a new database is connect, make temporary tables, see what is
-- in the schema and call functions.
DO $$
DECLARE
    called regprocedure;
BEGIN
    EXECUTE format('REVOKE ALL ON SCHEMA %I FROM PUBLIC', current_schema());
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO boxoffice_app, boxoffice_read', current_schema());
    -- The database may belong to somebody else, who then decides who connects.
    IF (SELECT pg_has_role(datdba, 'USAGE') FROM pg_database WHERE datname = current_database()) THEN
        EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
        EXECUTE format('GRANT CONNECT ON DATABASE %I TO boxoffice_app, boxoffice_read', current_database());
    END IF;
    -- Ours, and not those of an extension.
    FOR called IN
        SELECT oid FROM pg_proc WHERE pronamespace = current_schema()::regnamespace AND proowner = current_user::regrole
    LOOP
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', called);
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO boxoffice_app', called);
    END LOOP;
    ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
    EXECUTE format('ALTER DEFAULT PRIVILEGES IN SCHEMA %I GRANT EXECUTE ON FUNCTIONS TO boxoffice_app', current_schema());
END
$$;

-- The functions read whole rows and add rows. Nothing is ever deleted.
GRANT SELECT, INSERT ON shows, seat_pools, bookings, payments, payment_events TO boxoffice_app;

-- What they change, column by column: neither what a show is, nor what was paid for, nor what a provider sent. Of the columns
-- named here those are granted that there are.
DO $$
DECLARE
    change record;
BEGIN
    FOR change IN
        SELECT wanted.of_table, string_agg(quote_ident(attname), ', ') AS columns
        FROM (VALUES
            ('shows', '{pools, max_pending_seats_per_holder, max_seats_per_holder, anonymised_at}'::name[]),
            ('seat_pools', '{free}'),
            ('bookings', '{status, failure_reason, settled_at, expires_at}'),
            -- For who they no longer tell: the erasure of a person, and of what is old.
            ('bookings', '{user_name, holder, idempotency_key, anonymised_at}'),
            ('payments', '{show_id, booking_id, state, reason, amount_minor, currency, succeeded_at, refunded_minor,
                refund_failed_at, refund_told_at, updated_at}'),
            ('payment_events', '{outcome, reason}')
        ) AS wanted (of_table, columns)
        JOIN pg_attribute ON attrelid = wanted.of_table::regclass AND attname = ANY (wanted.columns)
        WHERE NOT attisdropped
            -- Without the mark of a row that was anonymised there is nothing yet that does it.
            AND (wanted.columns[1] <> 'user_name' OR EXISTS (
                SELECT FROM pg_attribute AS mark
                WHERE mark.attrelid = 'bookings'::regclass AND mark.attname = 'anonymised_at' AND NOT mark.attisdropped))
        GROUP BY wanted.of_table
    LOOP
        EXECUTE format('GRANT UPDATE (%s) ON %I TO boxoffice_app', change.columns, change.of_table);
    END LOOP;
END
$$;

-- boxoffice_read sees every column there is but those that tell of a person, or may: names, who holds a booking, keys that a
-- client made up, and what a provider sent. A column that comes later it sees when a migration says so.
DO $$
DECLARE
    seen record;
BEGIN
    FOR seen IN
        SELECT relname, string_agg(quote_ident(attname), ', ') AS columns
        FROM pg_class
        JOIN pg_attribute ON attrelid = pg_class.oid AND attnum > 0 AND NOT attisdropped
        WHERE pg_class.oid = ANY ('{shows, seat_pools, bookings, payments, payment_events}'::regclass[])
            AND attname <> ALL ('{user_name, holder, idempotency_key, payload}'::name[])
        GROUP BY relname
    LOOP
        EXECUTE format('GRANT SELECT (%s) ON %I TO boxoffice_read', seen.columns, seen.relname);
    END LOOP;
END
$$;
