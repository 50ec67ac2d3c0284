-- Holders: their limits, and the sums that the limits need.

-- Holders of a show that have more than 32 live bookings (counted), or left holds unpaid. A cache of sums: a deleted row is
-- created again when it is needed. Written by count_holder and the triggers of bookings. Personal: holder. A row is deleted when
-- one of its bookings is anonymised or gets another holder.
--
-- No CHECKs on the numbers: what count_changes proposes to insert is a difference.
CREATE TABLE holders (
    show_id       bigint           NOT NULL,
    -- Personal. As bookings.holder.
    holder        text             NOT NULL,
    -- Whether the next two columns are maintained.
    is_counted    boolean          NOT NULL DEFAULT false,
    -- Seats of its PENDING bookings, and of its PENDING and CONFIRMED ones.
    pending_seats bigint           NOT NULL DEFAULT 0,
    seats         bigint           NOT NULL DEFAULT 0,
    -- For how many seconds it kept seats without paying, as of unpaid_at. It fades to zero within an hour.
    unpaid_s      double precision NOT NULL DEFAULT 0,
    -- When the last of its unpaid holds ended.
    unpaid_at     timestamptz,
    -- When its last unpaid hold ended that lasted at least half its time.
    waits_from    timestamptz,
    PRIMARY KEY (show_id, holder),
    CONSTRAINT holders_clocks CHECK (clocks_are_readable(least(unpaid_at, waits_from), greatest(unpaid_at, waits_from)))
) WITH (
    fillfactor = 50, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 10000,
    autovacuum_vacuum_insert_scale_factor = 0.05, autovacuum_vacuum_insert_threshold = 10000,
    autovacuum_analyze_scale_factor = 0.02, autovacuum_analyze_threshold = 5000);

GRANT SELECT, INSERT, UPDATE ON holders TO boxoffice_app;

-- Functions: the limits.
\ir ../functions/most_seats.sql
\ir ../functions/holder_wait.sql
\ir ../functions/holder_standing.sql
\ir ../functions/holder_seats.sql
-- Functions: one holder's turn.
\ir ../functions/lock_holder.sql
\ir ../functions/try_lock_holder.sql
\ir ../functions/count_holder.sql
\ir ../functions/has_room.sql
\ir ../functions/admit.sql
\ir ../functions/admit_or_fail.sql
-- Functions: the sums.
\ir ../functions/count_booking.sql
\ir ../functions/count_changes.sql
\ir ../functions/forget_holder.sql

CREATE TRIGGER bookings_counted AFTER INSERT ON bookings FOR EACH ROW EXECUTE FUNCTION count_booking();

CREATE TRIGGER bookings_changed AFTER UPDATE ON bookings
    REFERENCING OLD TABLE AS gone NEW TABLE AS came
    FOR EACH STATEMENT EXECUTE FUNCTION count_changes();

CREATE TRIGGER bookings_forgotten AFTER UPDATE OF holder ON bookings
    FOR EACH ROW WHEN (OLD.holder IS DISTINCT FROM NEW.holder) EXECUTE FUNCTION forget_holder();
