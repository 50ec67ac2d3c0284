-- What a holder has of a show costs the same to know however much it is, and so does the time for which it kept seats unpaid.
--
-- Invariant: where holders.is_counted, seats and pending_seats are those of the holder's live bookings of the show.
--
-- Nearly every holder has a few bookings of a show: those are summed when it books, 32 at most. Whoever has more is counted: once,
-- under locks, when it is seen to have more; from then on triggers keep the sums, whoever changes a booking. So a booking of
-- somebody who has little writes nothing more than before, and nothing is counted ahead of its need: not at this migration either.

-- One row for each holder of a show that is counted, or that let a hold go. It is a cache of sums: a row that is deleted is made
-- again when it is needed. There are no CHECKs on its numbers: what count_changes proposes for a row is a difference.
CREATE TABLE holders (
    show_id       bigint           NOT NULL,
    -- Personal data, as bookings.holder is. The row goes with the holder of any of its bookings.
    holder        text             NOT NULL,
    is_counted    boolean          NOT NULL DEFAULT false,
    -- Seats of its PENDING bookings, and of its PENDING and CONFIRMED ones; without meaning unless is_counted.
    pending_seats bigint           NOT NULL DEFAULT 0,
    seats         bigint           NOT NULL DEFAULT 0,
    -- For how long it kept seats that it did not pay for, as it stood at unpaid_at, when the last of them came back. It fades
    -- within an hour.
    unpaid_s      double precision NOT NULL DEFAULT 0,
    unpaid_at     timestamptz,
    -- When the last hold ended of which at least half had passed; NULL: there was none.
    waits_from    timestamptz,
    PRIMARY KEY (show_id, holder)
) WITH (fillfactor = 50);

-- For how many seconds the holder must not book, 0: it may now.
--
-- What counts is the time for which seats were kept from others, whatever ended it: a hold that was extended counts for as many
-- as it lasted, and one that was cancelled for its part. So neither to cancel at the last moment and book again nor to extend is
-- cheaper. A hold that is swept late counts until its own end. What is let go fades within an hour: half an hour later it counts
-- for half.
--
-- So much of an hour as `allowed` holds last may pass unpaid. With the next one the holder waits a minute after the last of them,
-- and twice as long with each one more: 1, 2, 4 ... 32 minutes, and an hour from the seventh on. To give seats back at once makes
-- nobody wait longer.
CREATE FUNCTION holder_wait(
    unpaid_s double precision, unpaid_at timestamptz, waits_from timestamptz, allowed integer, hold_seconds double precision
) RETURNS double precision LANGUAGE sql STABLE AS $$
    SELECT CASE
        WHEN unpaid_at > clock_timestamp() - make_interval(hours => 1) AND round(unpaid_s / hold_seconds) > allowed
        THEN greatest(0, extract(epoch FROM
            coalesce(waits_from, unpaid_at)
            + least(
                make_interval(mins => 1) * 2 ^ least(round(unpaid_s / hold_seconds) - allowed - 1, 6), make_interval(hours => 1))
            - clock_timestamp()))::double precision
        ELSE 0 END
$$;

-- What a holder has of a show: pending_seats (held, not paid), seats (held and sold), let_go (how many holds of hold_seconds it let
-- go unpaid, as far as they have not faded), and wait (as holder_wait). A hold whose time is over does not count, whether it was
-- expired yet or not.
--
-- Locks: none. It is one statement, so that the planner puts it into the statement that calls it. Of a holder that is counted it
-- reads its row and 1,000 overdue holds at most: should there be more, the rest counts until it is expired. Of another it reads the
-- live bookings, of which there are few.
CREATE OR REPLACE FUNCTION holder_standing(the_show bigint, the_holder text, allowed integer, hold_seconds double precision)
RETURNS TABLE (pending_seats bigint, seats bigint, let_go bigint, wait double precision) LANGUAGE sql STABLE AS $$
    SELECT
        (has.pending_seats - has.overdue_seats)::bigint,
        (has.seats - has.overdue_seats)::bigint,
        coalesce(round(known.unpaid_s / hold_seconds), 0)::bigint,
        coalesce(holder_wait(known.unpaid_s, known.unpaid_at, known.waits_from, allowed, hold_seconds), 0)
    FROM (VALUES (1)) AS always
    LEFT JOIN holders AS known ON known.show_id = the_show AND known.holder = the_holder
    CROSS JOIN LATERAL (
        SELECT known.pending_seats, known.seats, (
            SELECT coalesce(sum(overdue.seats), 0)
            FROM (
                SELECT bookings.seats
                FROM bookings
                WHERE show_id = the_show AND holder = the_holder AND status = 'PENDING'
                    -- It bounds the look into the index, as clock_timestamp() would not.
                    AND expires_at <= statement_timestamp()
                ORDER BY expires_at
                LIMIT 1000
            ) AS overdue
        ) AS overdue_seats
        WHERE known.is_counted
        UNION ALL
        SELECT
            coalesce(sum(live.seats) FILTER (WHERE live.status = 'PENDING'), 0),
            coalesce(sum(live.seats), 0),
            coalesce(sum(live.seats) FILTER (WHERE live.status = 'PENDING' AND live.expires_at <= clock_timestamp()), 0)
        FROM bookings AS live
        WHERE live.show_id = the_show AND live.holder = the_holder AND live.status <> 'FAILED' AND known.is_counted IS NOT TRUE
        HAVING known.is_counted IS NOT TRUE
    ) AS has
$$;

-- How many seats of a show one holder may have in all: the show's own number, else the deployment's, for as many holders as this one
-- counts for. A number of the deployment's is never more than half of the house, rounded up: no holder takes all seats of a show that has
-- more than one. A show may say otherwise, and a million is no limit.
--
-- Locks: none. It is one expression, so that the planner puts it into the statement that calls it.
CREATE FUNCTION most_seats(total_seats integer, of_show integer, of_deployment integer, times integer) RETURNS integer
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE
        WHEN of_show IS NOT NULL OR of_deployment >= 1000000 THEN coalesce(of_show, of_deployment) * times
        ELSE least(of_deployment * times, (total_seats + 1) / 2)
    END
$$;

-- Seats of a holder's live bookings of a show, held and sold; not of holds whose time is over. It stays true under lock_holder, but
-- for what is given back.
--
-- Locks: none; as holder_standing.
CREATE FUNCTION holder_seats(the_show bigint, the_holder text) RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT seats FROM holder_standing(the_show, the_holder, 0, 1)
$$;

-- Counts a holder of a show from now on.
--
-- Locks: the holder of the show, so that nothing is added; its live bookings, by id, shared, so that nothing is given back or
-- confirmed that is neither in the sums nor will be taken from them. Then the new row.
CREATE FUNCTION count_holder(the_show bigint, the_holder text) RETURNS void LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM lock_holder(the_show, the_holder);
    PERFORM FROM bookings
    WHERE show_id = the_show AND holder = the_holder AND status <> 'FAILED'
    ORDER BY id
    FOR SHARE;
    -- A statement of its own: its snapshot is younger than the locks.
    INSERT INTO holders AS known (show_id, holder, is_counted, pending_seats, seats)
    SELECT the_show, the_holder, true, coalesce(sum(seats) FILTER (WHERE status = 'PENDING'), 0), coalesce(sum(seats), 0)
    FROM bookings
    WHERE show_id = the_show AND holder = the_holder AND status <> 'FAILED'
    ON CONFLICT (show_id, holder) DO UPDATE
    SET is_counted = true, pending_seats = EXCLUDED.pending_seats, seats = EXCLUDED.seats
    WHERE NOT known.is_counted;
END
$$;

-- Whether somebody who has something of a show, or let something go, may have so many more seats of it now; under lock_holder.
--
-- Locks: the first time that the holder has more than 32 bookings, as count_holder.
CREATE FUNCTION has_room(
    the_show bigint, the_holder text, wanted integer, max_pending bigint, max_in_all bigint, allowed integer,
    hold_seconds double precision
) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    known holders;
    few   record;
BEGIN
    SELECT * INTO known FROM holders WHERE show_id = the_show AND holder = the_holder;
    IF holder_wait(known.unpaid_s, known.unpaid_at, known.waits_from, allowed, hold_seconds) > 0 THEN
        RETURN false;
    END IF;
    IF known.is_counted IS NOT TRUE THEN
        SELECT count(*) AS bookings,
            coalesce(sum(live.seats) FILTER (WHERE live.status = 'PENDING'), 0) AS pending_seats,
            coalesce(sum(live.seats), 0) AS seats
        INTO few
        FROM (
            SELECT seats, status
            FROM bookings
            WHERE show_id = the_show AND holder = the_holder AND status <> 'FAILED'
            -- In the order of the index, so that it is read and not the table.
            ORDER BY status, expires_at
            LIMIT 33
        ) AS live;
        IF few.bookings <= 32 THEN
            known.pending_seats := few.pending_seats;
            known.seats := few.seats;
        ELSE
            PERFORM count_holder(the_show, the_holder);
            SELECT * INTO known FROM holders WHERE show_id = the_show AND holder = the_holder;
        END IF;
    END IF;
    IF known.pending_seats + wanted <= max_pending AND known.seats + wanted <= max_in_all THEN
        RETURN true;
    END IF;
    -- Holds whose time is over may be among them. That is looked at only where it decides.
    RETURN (
        SELECT pending_seats + wanted <= max_pending AND seats + wanted <= max_in_all
        FROM holder_standing(the_show, the_holder, allowed, hold_seconds));
END
$$;

-- Whether a holder may have so many more seats of a show now. NULL: too many of its own bookings are in progress, and nobody
-- waited. The answer stays true until the transaction ends: nothing but a booking adds to what a holder has, and a late payment,
-- which takes its turn too.
--
-- It is the holder's turn when nobody else of it has it. Some may wait for it, each with a connection: 3 of one holder, so that 4
-- are in progress; of a holder that counts for `times` as many so many times more, and 15 at most: with 5 ms a booking the last
-- of 16 waits 75 ms. The others are told at once.
--
-- max_wait, in ms, is for how long the transaction waits for a lock from then on: NULL leaves it as it is.
--
-- Written as a function since what it counts must be younger than its lock: each of its statements has a snapshot of its
-- own, where the statement that calls it has one that is older than the wait.
--
-- Locks: the holder of the show, and a place in its queue if it waited; then as has_room.
CREATE FUNCTION admit(
    the_show bigint, the_holder text, wanted integer, max_pending bigint, max_in_all bigint, allowed integer,
    hold_seconds double precision, times integer, max_wait integer
) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    turn     CONSTANT bigint := hashtextextended(the_holder, the_show);
    place    integer := 1;
    admitted boolean;
BEGIN
    IF NOT pg_try_advisory_xact_lock(turn) THEN
        -- The places are locks beside the turn's.
        WHILE NOT pg_try_advisory_xact_lock(turn # place) LOOP
            place := place + 1;
            IF place >= least(4 * times, 16) THEN
                RETURN NULL;
            END IF;
        END LOOP;
        -- A condition, which is evaluated without a query. It is never NULL.
        IF pg_advisory_xact_lock(turn) IS NULL THEN
            RETURN NULL;
        END IF;
    END IF;
    -- Most have nothing of the show yet, and let nothing go.
    IF NOT EXISTS (SELECT FROM holders WHERE show_id = the_show AND holder = the_holder)
        AND NOT EXISTS (SELECT FROM bookings WHERE show_id = the_show AND holder = the_holder AND status <> 'FAILED')
    THEN
        admitted := wanted <= least(max_pending, max_in_all);
    ELSE
        admitted := has_room(the_show, the_holder, wanted, max_pending, max_in_all, allowed, hold_seconds);
    END IF;
    -- The waits above were for the holder's own.
    IF max_wait IS NOT NULL AND set_config('lock_timeout', max_wait || 'ms', true) IS NULL THEN
        RETURN NULL;
    END IF;
    RETURN admitted;
END
$$;

-- The same as admit, and fails where too many of the holder's bookings are in progress, with the SQLSTATE BXBSY: for statements
-- that have no other way to say so.
CREATE FUNCTION admit_or_fail(
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

-- Has the transaction wait for a lock no longer than so many ms from now on; NULL leaves it as it is.
--
-- Written as a function since RDS Proxy pins a session in whose statements it sees the setting.
CREATE FUNCTION wait_at_most(ms integer) RETURNS void LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    IF ms IS NOT NULL THEN
        PERFORM set_config('lock_timeout', ms || 'ms', true);
    END IF;
END
$$;

-- As it was, for functions that were deployed before this migration: it waits for its turn, however many do.
--
-- Locks: as lock_holder.
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

-- Adds a new booking to its holder's sums, if the holder is counted.
--
-- Locks: the holder's row, last.
CREATE FUNCTION count_booking() RETURNS trigger LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    UPDATE holders
    SET pending_seats = pending_seats + CASE NEW.status WHEN 'PENDING' THEN NEW.seats ELSE 0 END,
        seats = seats + CASE NEW.status WHEN 'FAILED' THEN 0 ELSE NEW.seats END
    WHERE show_id = NEW.show_id AND holder = NEW.holder AND is_counted;
    RETURN NULL;
END
$$;

-- Keeps the sums of holders that are counted, and the time of those that let a hold go: whoever changed the bookings, and however
-- many. A late payment takes its hold's time away again.
--
-- Locks: the holders' rows, in the order of (show_id, holder), after the bookings and their pools. A booking adds to its own row
-- only, so nobody waits here for who waits for him.
CREATE FUNCTION count_changes() RETURNS trigger LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    INSERT INTO holders AS known (show_id, holder, pending_seats, seats, unpaid_s, unpaid_at, waits_from)
    SELECT moved.show_id, moved.holder, moved.pending_seats, moved.seats, moved.unpaid_s, moved.unpaid_at, moved.waits_from
    FROM (
        SELECT show_id, holder,
            sum(more_pending_seats) AS pending_seats,
            sum(more_seats) AS seats,
            sum(kept_s * (lets_go::integer - let_go::integer)) AS unpaid_s,
            max(settled_at) FILTER (WHERE lets_go AND NOT let_go) AS unpaid_at,
            max(settled_at) FILTER (WHERE lets_go AND NOT let_go AND kept_s >= length_s / 2) AS waits_from,
            bool_or(let_go AND NOT lets_go) AS takes_back
        FROM (
            SELECT came.show_id, came.holder, came.settled_at,
                came.seats * (CASE came.status WHEN 'PENDING' THEN 1 ELSE 0 END - CASE gone.status WHEN 'PENDING' THEN 1 ELSE 0 END)
                    AS more_pending_seats,
                came.seats * (CASE came.status WHEN 'FAILED' THEN 0 ELSE 1 END - CASE gone.status WHEN 'FAILED' THEN 0 ELSE 1 END)
                    AS more_seats,
                coalesce(came.failure_reason, '') IN ('expired', 'cancelled') AS lets_go,
                coalesce(gone.failure_reason, '') IN ('expired', 'cancelled') AS let_go,
                extract(epoch FROM came.expires_at - came.created_at) AS length_s,
                extract(epoch FROM
                    least(CASE came.status WHEN 'FAILED' THEN came.settled_at ELSE gone.settled_at END, came.expires_at)
                    - came.created_at) AS kept_s
            FROM came
            JOIN gone USING (show_id, id)
            WHERE came.holder = gone.holder AND came.status <> gone.status
        ) AS each_of_them
        GROUP BY show_id, holder
    ) AS moved
    -- Whoever is not counted and lets nothing go is not written of.
    WHERE moved.unpaid_at IS NOT NULL OR EXISTS (
        SELECT FROM holders
        WHERE holders.show_id = moved.show_id AND holders.holder = moved.holder AND (holders.is_counted OR moved.takes_back))
    ORDER BY moved.show_id, moved.holder
    ON CONFLICT (show_id, holder) DO UPDATE
    SET pending_seats = known.pending_seats + EXCLUDED.pending_seats,
        seats = known.seats + EXCLUDED.seats,
        unpaid_s = greatest(0, EXCLUDED.unpaid_s + known.unpaid_s * CASE
            WHEN known.unpaid_at IS NULL OR EXCLUDED.unpaid_at IS NULL THEN 1
            ELSE greatest(0, least(1, 1 - extract(epoch FROM EXCLUDED.unpaid_at - known.unpaid_at)::double precision / 3600)) END),
        unpaid_at = greatest(known.unpaid_at, EXCLUDED.unpaid_at),
        waits_from = CASE
            WHEN EXCLUDED.unpaid_at >= known.unpaid_at + make_interval(hours => 1) THEN EXCLUDED.waits_from
            ELSE greatest(known.waits_from, EXCLUDED.waits_from) END;
    RETURN NULL;
END
$$;

-- As it was, and gives the seats back before it changes the booking: that change has the row of a counted holder, and a pool is
-- locked before it.
--
-- Locks: the booking, then one pool, then the holder's row.
CREATE OR REPLACE FUNCTION refund_booking(the_show bigint, the_booking uuid) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    booking bookings;
    pool    integer;
BEGIN
    SELECT * INTO booking FROM bookings WHERE show_id = the_show AND id = the_booking FOR UPDATE;
    IF booking.status IS DISTINCT FROM 'CONFIRMED' THEN
        RETURN;
    END IF;
    -- One that nobody has locked, if there is one: somebody may keep one for long.
    SELECT seat_pools.pool_no INTO pool
    FROM shows JOIN seat_pools ON seat_pools.show_id = shows.id AND seat_pools.pool_no < shows.pools
    WHERE shows.id = the_show
    ORDER BY random()
    LIMIT 1
    FOR UPDATE OF seat_pools SKIP LOCKED;
    IF NOT FOUND THEN
        SELECT floor(random() * pools) INTO pool FROM shows WHERE id = the_show;
    END IF;
    UPDATE seat_pools SET free = free + booking.seats WHERE show_id = the_show AND pool_no = pool;
    IF NOT FOUND THEN
        RAISE 'the show % has no pool %', the_show, pool;
    END IF;
    UPDATE bookings SET status = 'FAILED', failure_reason = 'refunded', settled_at = clock_timestamp()
    WHERE show_id = the_show AND id = the_booking;
END
$$;

-- Forgets the holder of a booking that is made somebody else's, or nobody's: what is left of it, if anything, is counted anew.
--
-- It has its owner's rights: the functions delete nothing, and here a row of theirs has to go.
--
-- Locks: the holder's row, last.
CREATE FUNCTION forget_holder() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    DELETE FROM holders WHERE show_id = OLD.show_id AND holder IN (OLD.holder, NEW.holder);
    RETURN NULL;
END
$$;

CREATE TRIGGER bookings_counted AFTER INSERT ON bookings FOR EACH ROW EXECUTE FUNCTION count_booking();

CREATE TRIGGER bookings_changed AFTER UPDATE ON bookings
    REFERENCING OLD TABLE AS gone NEW TABLE AS came
    FOR EACH STATEMENT EXECUTE FUNCTION count_changes();

CREATE TRIGGER bookings_forgotten AFTER UPDATE OF holder ON bookings
    FOR EACH ROW WHEN (OLD.holder IS DISTINCT FROM NEW.holder) EXECUTE FUNCTION forget_holder();

-- The triggers have the rights of who changes a booking. (With the owner's, and the search path that those ask for, they would cost
-- a booking 50 us more.) Whoever reports does not see it: it is personal data, and says nothing that bookings do not.
DO $$
BEGIN
    IF to_regrole('boxoffice_app') IS NOT NULL THEN
        GRANT SELECT, INSERT, UPDATE ON holders TO boxoffice_app;
    END IF;
END
$$;
