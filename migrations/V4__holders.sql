-- Whose a booking is, what one holder may have of a show, and what privacy asks for.
--
-- Invariant: a booking is made only while its holder is within the show's limits, counted under the holder's lock.

ALTER TABLE bookings
    -- Who holds it: 'sub:' and a token's subject, 'key:' and a partner's API key, or 'ip:' and an address. NULL: made before
    -- there were holders, or anonymised. Personal data, as user_name is.
    ADD COLUMN holder        text CONSTRAINT bookings_holder_length CHECK (char_length(holder) BETWEEN 4 AND 300),
    -- When its personal data was taken out.
    ADD COLUMN anonymised_at timestamptz,
    ADD CONSTRAINT bookings_anonymised_has_no_holder CHECK (anonymised_at IS NULL OR (holder IS NULL AND idempotency_key IS NULL)),
    -- The key of a subject or a partner has its holder before it: two of them may choose the same.
    DROP CONSTRAINT bookings_idempotency_key_length,
    ADD CONSTRAINT bookings_idempotency_key_length CHECK (char_length(idempotency_key) BETWEEN 1 AND 600);

-- NULL: the deployment's own limit.
ALTER TABLE shows
    ADD COLUMN max_pending_seats_per_holder integer
               CONSTRAINT shows_max_pending_seats_range CHECK (max_pending_seats_per_holder BETWEEN 1 AND 1000000),
    ADD COLUMN max_seats_per_holder         integer
               CONSTRAINT shows_max_seats_per_holder_range CHECK (max_seats_per_holder BETWEEN 1 AND 1000000),
    -- When the personal data of all its bookings was taken out.
    ADD COLUMN anonymised_at                timestamptz;

-- Serves the count of what a holder has. Failed bookings are not in it: they may be many.
CREATE INDEX bookings_held ON bookings (show_id, holder) INCLUDE (status, seats) WHERE status <> 'FAILED';

-- Serves the count of the time for which a holder kept seats that it did not pay for.
CREATE INDEX bookings_let_go ON bookings (show_id, holder, settled_at) WHERE failure_reason IN ('expired', 'cancelled');

-- Serves export and erasure by subject.
CREATE INDEX bookings_by_subject ON bookings (holder, show_id, id) WHERE starts_with(holder, 'sub:');

-- Serves the retention job.
CREATE INDEX shows_to_anonymise ON shows (start_time) WHERE anonymised_at IS NULL;

-- What a holder has of a show: pending_seats (held, not paid), seats (held and sold), let_go (how many holds of hold_seconds it let
-- go unpaid within the last hour), and wait (seconds until the holder may book again, 0: now).
--
-- What counts is the time for which seats were kept from others, whatever ended it: a hold that was extended counts for as many
-- as it lasted, and one that was cancelled for its part. So neither to cancel at the last moment and book again nor to extend is
-- cheaper. A hold that is swept late counts until its own end.
--
-- So much of an hour as `allowed` holds last may pass unpaid. With the next one the holder waits a minute after the last of them,
-- and twice as long with each one more: 1, 2, 4 ... 32 minutes, and an hour from the seventh on.
--
-- Locks: none. It is one statement, so that the planner puts it into the statement that calls it. It reads the last 1,000 of an
-- hour at most.
CREATE FUNCTION holder_standing(the_show bigint, the_holder text, allowed integer, hold_seconds double precision)
RETURNS TABLE (pending_seats bigint, seats bigint, let_go bigint, wait double precision) LANGUAGE sql STABLE AS $$
    SELECT
        held.pending_seats,
        held.seats,
        gone.let_go,
        CASE WHEN gone.let_go > allowed THEN greatest(0, extract(epoch FROM
            gone.last + least(make_interval(mins => 1) * 2 ^ least(gone.let_go - allowed - 1, 6), make_interval(hours => 1))
            - clock_timestamp()))::double precision
        ELSE 0 END
    FROM (
        SELECT
            coalesce(sum(bookings.seats) FILTER (WHERE bookings.status = 'PENDING'), 0) AS pending_seats,
            coalesce(sum(bookings.seats), 0) AS seats
        FROM bookings
        WHERE show_id = the_show AND holder = the_holder AND status <> 'FAILED'
    ) AS held, (
        SELECT
            coalesce(round(sum(extract(epoch FROM least(settled_at, expires_at) - created_at)) / hold_seconds::numeric), 0)::bigint
                AS let_go,
            -- To give seats back at once makes nobody wait longer.
            coalesce(
                max(settled_at) FILTER (WHERE settled_at - created_at >= make_interval(secs => hold_seconds / 2)),
                max(settled_at)) AS last
        FROM (
            SELECT created_at, expires_at, settled_at
            FROM bookings
            WHERE show_id = the_show AND holder = the_holder AND failure_reason IN ('expired', 'cancelled')
                AND settled_at > clock_timestamp() - make_interval(hours => 1)
            ORDER BY settled_at DESC
            LIMIT 1000
        ) AS latest
    ) AS gone
$$;

-- Makes the bookings of one holder and show take turns until the transaction ends.
--
-- Locks: the holder of the show, by an advisory lock; before any pool. Two holders with one hash merely wait for each other.
CREATE FUNCTION lock_holder(the_show bigint, the_holder text) RETURNS void LANGUAGE sql VOLATILE AS $$
    SELECT pg_advisory_xact_lock(hashtextextended(the_holder, the_show))
$$;

-- Whether a holder may have so many more seats of a show now. The answer stays true until the transaction ends: nothing but
-- a booking adds to what a holder has, and a late payment, whose buyer has paid: that is not refused.
--
-- Written as a function since what it counts must be younger than its lock: each of its statements has a snapshot of its
-- own, where the statement that calls it has one that is older than the wait.
--
-- Locks: as lock_holder.
CREATE FUNCTION admit_holder(
    the_show bigint, the_holder text, wanted integer, max_pending integer, max_in_all integer, allowed integer,
    hold_seconds double precision
) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    -- A condition, which is evaluated without a query: as a PERFORM the lock costs a booking 5 % more. It is never NULL.
    IF pg_advisory_xact_lock(hashtextextended(the_holder, the_show)) IS NULL THEN
        RETURN false;
    END IF;
    -- Most have nothing of the show yet. Two looks into an index cost a booking half of what the sums do.
    IF NOT EXISTS (SELECT FROM bookings WHERE show_id = the_show AND holder = the_holder AND status <> 'FAILED')
        AND NOT EXISTS (
            SELECT FROM bookings
            WHERE show_id = the_show AND holder = the_holder AND failure_reason IN ('expired', 'cancelled'))
    THEN
        RETURN wanted <= least(max_pending, max_in_all);
    END IF;
    RETURN (
        SELECT pending_seats + wanted <= max_pending AND seats + wanted <= max_in_all AND wait = 0
        FROM holder_standing(the_show, the_holder, allowed, hold_seconds));
END
$$;
