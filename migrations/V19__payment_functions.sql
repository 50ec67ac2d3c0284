-- What follows from a payment's events, with refunds and disputes as rows of their own, holders' limits for late payments, and a
-- second payment that takes the place of one that was refunded. The functions of the sixth migration are replaced.

-- A look at the rows there are, which locks nobody out.
ALTER TABLE payments VALIDATE CONSTRAINT payments_state;
ALTER TABLE payments VALIDATE CONSTRAINT payments_success_is_decided;
ALTER TABLE payments VALIDATE CONSTRAINT payments_total_kind;
ALTER TABLE payments VALIDATE CONSTRAINT payments_settled_has_time;
ALTER TABLE payments VALIDATE CONSTRAINT payments_price_has_currency;
ALTER TABLE payment_events VALIDATE CONSTRAINT payment_events_change;
ALTER TABLE payment_events VALIDATE CONSTRAINT payment_events_outcome;
ALTER TABLE shows VALIDATE CONSTRAINT shows_price_range;
ALTER TABLE bookings VALIDATE CONSTRAINT bookings_amount_not_negative;

-- A payment that names no booking is another shop's of the same account, or nobody's: its money is not ours to send back.
UPDATE payments SET state = 'unclaimed', reason = 'names_no_booking'
WHERE state = 'refund_due' AND reason = 'unknown_booking' AND booking_id IS NULL;

-- apply_payment_event and pay_booking stay as they were, beside those below: a record_payment that began before this calls them. A
-- later release drops them.

-- As it was, and takes a pool first that nobody has locked: somebody may keep one for long.
--
-- Locks: one pool; only when no single pool has the seats: all pools of the show, in the order of pool_no.
CREATE OR REPLACE FUNCTION take_seats(the_show bigint, wanted integer) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    pool  integer;
    taken bigint;
BEGIN
    SELECT pool_no INTO pool
    FROM seat_pools
    WHERE show_id = the_show AND free >= wanted
    ORDER BY random()
    LIMIT 1
    FOR UPDATE SKIP LOCKED;
    IF FOUND THEN
        UPDATE seat_pools SET free = free - wanted WHERE show_id = the_show AND pool_no = pool;
        RETURN true;
    END IF;
    SELECT pool_no INTO pool FROM seat_pools WHERE show_id = the_show AND free >= wanted ORDER BY random() LIMIT 1;
    IF FOUND THEN
        BEGIN
            UPDATE seat_pools SET free = free - wanted WHERE show_id = the_show AND pool_no = pool AND free >= wanted;
            IF FOUND THEN
                RETURN true;
            END IF;
            -- It ran dry while we waited for its lock, and the lock is ours none the less. Undoing this block lets go of
            -- it: else the lock of all pools below would be out of order.
            RAISE SQLSTATE 'BXDRY';
        EXCEPTION WHEN SQLSTATE 'BXDRY' THEN
            NULL;
        END;
    END IF;
    -- Most late payments are for a show that is sold out: they are told by a read.
    IF (SELECT sum(free) FROM seat_pools WHERE show_id = the_show) < wanted THEN
        RETURN false;
    END IF;
    PERFORM FROM seat_pools WHERE show_id = the_show ORDER BY pool_no FOR UPDATE;
    -- As in book_across.sql: the fullest first; seats_before: the free seats of the pools that come first.
    WITH counted AS MATERIALIZED (
        SELECT pool_no, free, sum(free) OVER fullest - free AS seats_before, sum(free) OVER () AS seats_in_all
        FROM seat_pools
        WHERE show_id = the_show AND free > 0
        WINDOW fullest AS (ORDER BY free DESC, pool_no)
    ), changed AS (
        UPDATE seat_pools
        SET free = seat_pools.free - least(counted.free, wanted - counted.seats_before)
        FROM counted
        WHERE seat_pools.show_id = the_show AND seat_pools.pool_no = counted.pool_no
            AND counted.seats_before < wanted AND counted.seats_in_all >= wanted
        RETURNING least(counted.free, wanted - counted.seats_before) AS seats
    )
    SELECT coalesce(sum(seats), 0) INTO taken FROM changed;
    IF taken NOT IN (0, wanted) THEN
        RAISE 'took % seats instead of %', taken, wanted;
    END IF;
    RETURN taken = wanted;
END
$$;

-- Locks a holder of a show as lock_holder does, if that needs no wait, and says whether it did.
--
-- Locks: the holder of the show. It never waits, so its place in the order of locks does not matter.
CREATE FUNCTION try_lock_holder(the_show bigint, the_holder text) RETURNS boolean LANGUAGE sql VOLATILE AS $$
    SELECT pg_try_advisory_xact_lock(hashtextextended(the_holder, the_show))
$$;

-- Makes all that happens to one payment take turns, and all that happens to the payments of one booking, until the transaction
-- ends: one payment may take another's place.
--
-- The booking is the one that the payment names, else the one that its event does. Where its hold is over and the payment is its
-- success (is_success), the holder is locked before: a late payment counts what its holder has.
--
-- Locks, in this order: the holder of the show, the payments of the booking, the payment; all of them advisory.
CREATE FUNCTION lock_payment(
    the_provider text, the_payment text, the_show bigint, the_booking uuid, is_success boolean
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    named      record;
    its_holder text;
BEGIN
    SELECT show_id, booking_id INTO named
    FROM payments
    WHERE provider = the_provider AND payment_id = the_payment AND booking_id IS NOT NULL;
    IF NOT FOUND THEN
        SELECT the_show AS show_id, the_booking AS booking_id INTO named;
    END IF;
    IF is_success THEN
        SELECT holder INTO its_holder
        FROM bookings
        WHERE show_id = named.show_id AND id = named.booking_id
            AND (status = 'FAILED' OR (status = 'PENDING' AND expires_at <= clock_timestamp()));
        IF its_holder IS NOT NULL THEN
            PERFORM lock_holder(named.show_id, its_holder);
        END IF;
    END IF;
    IF named.booking_id IS NOT NULL THEN
        PERFORM pg_advisory_xact_lock(1, hashtext(named.show_id || '-' || named.booking_id));
    END IF;
    PERFORM pg_advisory_xact_lock(2, hashtext(the_provider || ' ' || the_payment));
    -- While we waited, another event of the payment may have named its booking, whose payments are not locked then.
    IF EXISTS (
        SELECT FROM payments
        WHERE provider = the_provider AND payment_id = the_payment AND booking_id IS NOT NULL
            AND (show_id, booking_id) IS DISTINCT FROM (named.show_id, named.booking_id)) THEN
        RAISE serialization_failure USING MESSAGE = 'the payment named its booking meanwhile; it is to be run again';
    END IF;
END
$$;

-- What went back of a payment whose success is known, and the most that was ever meant to; and whether a refund of it failed. It
-- depends on what was told, and not on the order in which it came.
--
-- | what is told | it counts as returned |
-- |---|---|
-- | a refund that is pending or succeeded | its amount |
-- | a refund that failed | nothing, whatever else is told of it before or after |
-- | the last total, by the provider's clock | so much, less the refunds that failed at that time or after it |
-- | what an operator settled | so much, less the refunds that failed at that time or after it |
-- | a failure that names no refund | nothing that was told of until then |
--
-- The greatest of the three sums counts, and no more than was received. A total above what was received is not of money that was
-- received (a card's authorisation that was released), and neither is one of just as much that is said not to be all: they do not
-- count. Refunds in another currency than the payment's are not counted; one of them that fails is a failure that names no refund.
--
-- Meant to go back is the greatest sum of refunds that there was at one time: a refund that took the place of one that had
-- failed before it is not another.
--
-- Locks: none. The caller has the payment.
CREATE FUNCTION payment_refunded(the_payment payments, OUT returned bigint, OUT wanted bigint, OUT has_failed boolean)
LANGUAGE plpgsql AS $$
DECLARE
    received     bigint := the_payment.amount_minor;
    unnamed_at   timestamptz; -- When a refund failed of which we do not know which.
    after_total  bigint;
    after_settle bigint;
    told         bigint;
    total        bigint := 0;
    settled      bigint := 0;
BEGIN
    SELECT greatest(the_payment.refund_failed_at,
            max(failed_at) FILTER (WHERE currency IS DISTINCT FROM the_payment.currency)),
        coalesce(bool_or(state = 'failed'), false) OR the_payment.refund_failed_at IS NOT NULL
    INTO unnamed_at, has_failed
    FROM payment_refunds
    WHERE provider = the_payment.provider AND payment_id = the_payment.payment_id;

    WITH refunds AS MATERIALIZED (
        SELECT refund_id, amount_minor, first_told_at,
            CASE WHEN state = 'failed' THEN failed_at WHEN told_at <= unnamed_at THEN unnamed_at END AS gone_at
        FROM payment_refunds
        WHERE provider = the_payment.provider AND payment_id = the_payment.payment_id AND currency = the_payment.currency
    )
    SELECT
        coalesce(sum(amount_minor) FILTER (WHERE gone_at IS NULL), 0),
        coalesce(max((
            SELECT sum(other.amount_minor)
            FROM refunds AS other
            WHERE other.first_told_at <= refunds.first_told_at
                AND (other.refund_id = refunds.refund_id OR other.gone_at IS NULL OR other.gone_at > refunds.first_told_at))), 0),
        coalesce(sum(amount_minor) FILTER (WHERE gone_at >= the_payment.total_at), 0),
        coalesce(sum(amount_minor) FILTER (WHERE gone_at >= the_payment.settled_at), 0)
    INTO returned, wanted, after_total, after_settle
    FROM refunds;

    IF the_payment.full_told_at IS NOT NULL THEN
        wanted := received;
    END IF;
    told := CASE
        WHEN the_payment.total_kind = 'full' THEN received
        WHEN the_payment.total_currency <> the_payment.currency THEN 0
        WHEN the_payment.total_minor > received THEN 0
        WHEN the_payment.total_kind = 'part' AND the_payment.total_minor = received THEN 0
        ELSE coalesce(the_payment.total_minor, 0) END;
    wanted := greatest(wanted, told, the_payment.settled_minor);
    IF unnamed_at IS NULL OR the_payment.total_at > unnamed_at THEN
        total := told - after_total;
    END IF;
    -- The most that was told, where a later total is less of it since a refund failed.
    IF the_payment.refunded_minor < received OR the_payment.total_kind = 'amount' AND the_payment.refunded_minor = received THEN
        wanted := greatest(wanted, the_payment.refunded_minor);
    END IF;
    IF unnamed_at IS NULL OR the_payment.settled_at > unnamed_at THEN
        settled := coalesce(the_payment.settled_minor, 0) - after_settle;
    END IF;
    returned := least(received, greatest(returned, total, settled));
    wanted := least(received, greatest(wanted, returned));
END
$$;

-- What the buyer's bank took of a payment for good: the disputes that were lost.
--
-- Locks: none. The caller has the payment.
CREATE FUNCTION payment_lost(the_payment payments) RETURNS bigint LANGUAGE sql VOLATILE AS $$
    SELECT coalesce(sum(CASE WHEN currency = the_payment.currency THEN amount_minor ELSE the_payment.amount_minor END), 0)
    FROM payment_disputes
    WHERE provider = the_payment.provider AND payment_id = the_payment.payment_id AND state = 'lost'
$$;

-- Whether a payment is disputed: a dispute is open, or was lost and somebody must decide what becomes of the booking. One that
-- names no booking is not ours to defend; one whose money is due back or went back has no booking to decide about.
--
-- Locks: none. The caller has the payment.
CREATE FUNCTION is_disputed(the_payment payments) RETURNS boolean LANGUAGE sql VOLATILE AS $$
    SELECT the_payment.state <> 'unclaimed' AND EXISTS (
        SELECT FROM payment_disputes
        WHERE provider = the_payment.provider AND payment_id = the_payment.payment_id
            AND (state IN ('opened', 'funds_withdrawn', 'funds_reinstated')
                OR (state = 'lost' AND decision IS NULL AND the_payment.state NOT IN ('refund_due', 'refunded'))))
$$;

-- How much of a payment is still to be sent back: all that did not go back yet if it buys nothing; what failed to go back if it
-- buys something.
CREATE FUNCTION payment_due(the_payment payments) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE the_payment.state
        WHEN 'refund_due' THEN the_payment.amount_minor - least(the_payment.returned_minor, the_payment.amount_minor)
        WHEN 'confirmed' THEN the_payment.wanted_minor - least(the_payment.returned_minor, the_payment.wanted_minor)
        ELSE 0 END
$$;

-- Pays for a booking: confirms it, or says why the money is to be given back (NULL: it is confirmed). Of what a holder may have,
-- max_in_all counts unless the show says otherwise, so many times as the holder counts for; NULL: no limit.
--
-- Locks: the booking; then pools if its seats were given back. The caller has the holder's lock if the booking is late; where it
-- became late just now, the holder's lock is tried, and without it the transaction is to be run again.
CREATE FUNCTION pay_booking(
    the_show bigint, the_booking uuid, amount bigint, the_currency text, occurred timestamptz,
    max_in_all integer, address_allowance integer, partner_allowance integer
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    booking bookings;
    late    boolean;
    allowed bigint;
BEGIN
    SELECT * INTO booking FROM bookings WHERE show_id = the_show AND id = the_booking FOR UPDATE;
    IF NOT FOUND THEN
        RETURN 'unknown_booking';
    END IF;
    -- The clock is read after the lock is held.
    late := booking.status = 'FAILED' OR (booking.status = 'PENDING' AND booking.expires_at <= clock_timestamp());
    IF booking.amount_minor IS NULL THEN
        RETURN 'no_price';
    ELSIF booking.amount_minor <> amount OR booking.currency <> the_currency THEN
        RETURN 'wrong_amount';
    ELSIF EXISTS (
        SELECT FROM payments WHERE show_id = the_show AND booking_id = the_booking AND state = 'confirmed') THEN
        RETURN 'already_paid';
    ELSIF booking.status = 'CONFIRMED' THEN
        -- By an operator, ahead of the provider's message: this is its payment.
        RETURN NULL;
    ELSIF booking.failure_reason = 'cancelled' THEN
        RETURN 'booking_cancelled';
    ELSIF booking.failure_reason = 'refunded' AND NOT EXISTS (
        -- It was paid twice before the first payment was refunded, and we are told of that in another order: it takes the place
        -- of the first as far as there still are seats.
        SELECT FROM payments
        WHERE show_id = the_show AND booking_id = the_booking AND state IN ('refunded', 'refund_due')
            AND refund_told_at >= occurred) THEN
        RETURN 'booking_refunded';
    ELSIF late AND EXISTS (SELECT FROM shows WHERE id = the_show AND start_time <= clock_timestamp()) THEN
        RETURN 'hold_expired_show_started';
    END IF;
    IF late AND max_in_all IS NOT NULL AND booking.holder IS NOT NULL THEN
        IF NOT try_lock_holder(the_show, booking.holder) THEN
            RAISE serialization_failure USING MESSAGE = 'the hold ended while its payment waited; it is to be run again';
        END IF;
        SELECT most_seats(total_seats, max_seats_per_holder, max_in_all, CASE
            WHEN starts_with(booking.holder, 'key:') THEN partner_allowance
            WHEN starts_with(booking.holder, 'ip:') THEN address_allowance
            ELSE 1 END)
        INTO allowed
        FROM shows
        WHERE id = the_show;
        -- What it has itself is over, and not counted.
        IF holder_seats(the_show, booking.holder) + booking.seats > allowed THEN
            RETURN 'holder_limit';
        END IF;
    END IF;
    -- The seats of a hold that nobody has expired yet were not given back: they are still its own, however late it is.
    IF booking.status = 'FAILED' AND NOT take_seats(the_show, booking.seats) THEN
        RETURN 'hold_expired_sold_out';
    END IF;
    UPDATE bookings
    SET status = 'CONFIRMED', failure_reason = NULL, settled_at = clock_timestamp()
    WHERE show_id = the_show AND id = the_booking;
    RETURN NULL;
END
$$;

-- Takes a booking from a confirmed payment, whose money goes back: another payment that was held as already_paid takes its place,
-- and the booking stays as it is; else the booking fails and its seats are given back. The payment is refunded then, until the
-- caller says otherwise.
--
-- Locks: the payment that takes its place, the booking, then one pool. The caller has the payment, and the payments of the
-- booking by lock_payment.
CREATE FUNCTION unconfirm_payment(the_payment payments) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    heir payments;
BEGIN
    -- First: a booking has one confirmed payment at most.
    UPDATE payments SET state = 'refunded', updated_at = clock_timestamp()
    WHERE provider = the_payment.provider AND payment_id = the_payment.payment_id;
    SELECT * INTO heir
    FROM payments
    WHERE show_id = the_payment.show_id AND booking_id = the_payment.booking_id
        AND state = 'refund_due' AND reason = 'already_paid' AND NOT disputed AND returned_minor = 0 AND wanted_minor = 0
    ORDER BY succeeded_at, provider, payment_id
    LIMIT 1
    FOR UPDATE;
    IF FOUND THEN
        PERFORM FROM bookings
        WHERE show_id = the_payment.show_id AND id = the_payment.booking_id AND status = 'CONFIRMED'
        FOR UPDATE;
        IF FOUND THEN
            UPDATE payments SET state = 'confirmed', reason = NULL, updated_at = clock_timestamp()
            WHERE provider = heir.provider AND payment_id = heir.payment_id;
            RETURN;
        END IF;
    END IF;
    PERFORM refund_booking(the_payment.show_id, the_payment.booking_id);
END
$$;

-- What a payment is once all that was told of its refunds and disputes is counted; its row is not written yet, but for a booking
-- that it loses.
--
-- | it was | refunds, of what was received | it is |
-- |---|---|---|
-- | confirmed | less than all was ever meant to go back | confirmed; what failed to go back is due |
-- | confirmed | all of it, and it went back | refunded; the booking fails, or another payment takes the place of this one |
-- | confirmed | all of it, and a part failed to go back | refund_due, refund_failed; as above |
-- | refund_due, refunded | all of it went back, by refunds, an operator's word or lost disputes | refunded |
-- | refund_due, refunded | less went back | refund_due |
-- | unclaimed | any | unclaimed |
-- | its success is not known | the last total is all of it, and nothing failed since | refunded: it will confirm nothing |
--
-- A booking that lost its payment so does not get it again: if the refund fails later, its money is due.
--
-- Locks: as unconfirm_payment, where the payment loses its booking.
CREATE FUNCTION count_refunds(the_payment payments) RETURNS payments LANGUAGE plpgsql AS $$
DECLARE
    becomes payments := the_payment;
    sums    record;
    all_of  boolean; -- It ever was all that was meant to go back.
BEGIN
    IF the_payment.succeeded_at IS NULL THEN
        IF the_payment.total_kind = 'full'
            AND (the_payment.refund_failed_at IS NULL OR the_payment.refund_failed_at < the_payment.total_at)
            AND NOT EXISTS (
                SELECT FROM payment_refunds
                WHERE provider = the_payment.provider AND payment_id = the_payment.payment_id
                    AND failed_at >= the_payment.total_at) THEN
            becomes.state := 'refunded';
        ELSIF the_payment.state = 'refunded' THEN
            becomes.state := 'pending';
        END IF;
        becomes.disputed := is_disputed(becomes);
        RETURN becomes;
    END IF;

    SELECT * INTO sums FROM payment_refunded(the_payment);
    becomes.returned_minor := sums.returned;
    becomes.wanted_minor := sums.wanted;
    -- Of nothing, nothing goes back.
    all_of := sums.wanted >= the_payment.amount_minor
        AND (the_payment.amount_minor > 0 OR the_payment.full_told_at IS NOT NULL OR the_payment.settled_at IS NOT NULL);
    IF the_payment.state = 'confirmed' AND all_of THEN
        PERFORM unconfirm_payment(the_payment);
        becomes.state := 'refunded';
    END IF;
    IF becomes.state IN ('refund_due', 'refunded') THEN
        becomes.returned_minor := least(the_payment.amount_minor, sums.returned + payment_lost(the_payment));
        IF becomes.returned_minor < the_payment.amount_minor OR (the_payment.amount_minor = 0 AND NOT all_of) THEN
            becomes.state := 'refund_due';
        ELSE
            becomes.state := 'refunded';
        END IF;
        IF all_of AND sums.has_failed THEN
            becomes.reason := 'refund_failed';
        ELSIF becomes.state = 'refund_due' AND becomes.reason IS NULL THEN
            becomes.reason := 'refund_failed';
        END IF;
    END IF;
    becomes.disputed := is_disputed(becomes);
    RETURN becomes;
END
$$;

-- Writes what a payment is now, if it is not that already.
--
-- Locks: the payment.
CREATE FUNCTION write_payment(becomes payments) RETURNS void LANGUAGE sql AS $$
    INSERT INTO payments (
        provider, payment_id, show_id, booking_id, state, reason, amount_minor, currency, succeeded_at, refunded_minor,
        refund_failed_at, refund_told_at, returned_minor, wanted_minor, total_kind, total_minor, total_currency, total_at,
        full_told_at, settled_minor, settled_at, disputed, price_minor, price_currency)
    VALUES (
        becomes.provider, becomes.payment_id, becomes.show_id, becomes.booking_id, becomes.state, becomes.reason,
        becomes.amount_minor, becomes.currency, becomes.succeeded_at, becomes.refunded_minor, becomes.refund_failed_at,
        becomes.refund_told_at, becomes.returned_minor, becomes.wanted_minor, becomes.total_kind, becomes.total_minor,
        becomes.total_currency, becomes.total_at, becomes.full_told_at, becomes.settled_minor, becomes.settled_at,
        becomes.disputed, becomes.price_minor, becomes.price_currency)
    ON CONFLICT (provider, payment_id) DO UPDATE
    SET show_id = excluded.show_id, booking_id = excluded.booking_id, state = excluded.state, reason = excluded.reason,
        amount_minor = excluded.amount_minor, currency = excluded.currency, succeeded_at = excluded.succeeded_at,
        refunded_minor = excluded.refunded_minor, refund_failed_at = excluded.refund_failed_at,
        refund_told_at = excluded.refund_told_at, returned_minor = excluded.returned_minor,
        wanted_minor = excluded.wanted_minor, total_kind = excluded.total_kind, total_minor = excluded.total_minor,
        total_currency = excluded.total_currency, total_at = excluded.total_at, full_told_at = excluded.full_told_at,
        settled_minor = excluded.settled_minor, settled_at = excluded.settled_at, disputed = excluded.disputed,
        price_minor = excluded.price_minor, price_currency = excluded.price_currency,
        updated_at = clock_timestamp()
$$;

-- Records what is told of one refund. What is further on counts, whichever comes first: pending, succeeded, failed.
--
-- | it is, and is told to be | pending | succeeded | failed |
-- |---|---|---|---|
-- | not known | pending | succeeded | failed |
-- | pending | pending | succeeded | failed |
-- | succeeded | succeeded | succeeded | failed |
-- | failed | failed | failed | failed |
--
-- Locks: none but the row's. The caller has the payment.
CREATE FUNCTION tell_refund(
    the_provider text, the_payment text, the_refund text, amount bigint, the_currency text, the_state text, occurred timestamptz
) RETURNS void LANGUAGE sql AS $$
    INSERT INTO payment_refunds AS refund (
        provider, payment_id, refund_id, amount_minor, currency, state, first_told_at, told_at, failed_at)
    VALUES (the_provider, the_payment, the_refund, amount, the_currency, the_state, occurred, occurred,
        CASE the_state WHEN 'failed' THEN occurred END)
    ON CONFLICT (provider, payment_id, refund_id) DO UPDATE
    SET amount_minor = greatest(refund.amount_minor, excluded.amount_minor),
        state = CASE
            WHEN 'failed' IN (refund.state, excluded.state) THEN 'failed'
            WHEN 'succeeded' IN (refund.state, excluded.state) THEN 'succeeded'
            ELSE 'pending' END,
        first_told_at = least(refund.first_told_at, excluded.first_told_at),
        told_at = greatest(refund.told_at, excluded.told_at),
        failed_at = least(refund.failed_at, excluded.failed_at),
        updated_at = clock_timestamp()
$$;

-- Records what is told of one dispute, and says whether that is more than was known. A decision (closed, won, lost) counts,
-- whatever else is told of; of two decisions the later one by the provider's clock, of two that are not the later one too.
--
-- Locks: none but the row's. The caller has the payment.
CREATE FUNCTION tell_dispute(
    the_provider text, the_payment text, the_dispute text, amount bigint, the_currency text, the_state text, occurred timestamptz
) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    stages constant text[] := '{opened,funds_withdrawn,funds_reinstated,closed,won,lost}';
    was_state       text;
BEGIN
    SELECT state INTO was_state
    FROM payment_disputes
    WHERE provider = the_provider AND payment_id = the_payment AND dispute_id = the_dispute;
    INSERT INTO payment_disputes AS dispute (provider, payment_id, dispute_id, amount_minor, currency, state, told_at)
    VALUES (the_provider, the_payment, the_dispute, amount, the_currency, the_state, occurred)
    ON CONFLICT (provider, payment_id, dispute_id) DO UPDATE
    SET amount_minor = coalesce(excluded.amount_minor, dispute.amount_minor),
        currency = coalesce(excluded.currency, dispute.currency),
        state = excluded.state, told_at = excluded.told_at, updated_at = clock_timestamp(),
        -- Another decision of the bank asks for another one of the operator.
        decision = CASE WHEN dispute.state = excluded.state THEN dispute.decision END,
        decided_at = CASE WHEN dispute.state = excluded.state THEN dispute.decided_at END
    WHERE (excluded.state IN ('closed', 'won', 'lost'), excluded.told_at, array_position(stages, excluded.state))
        > (dispute.state IN ('closed', 'won', 'lost'), dispute.told_at, array_position(stages, dispute.state));
    RETURN FOUND AND was_state IS DISTINCT FROM the_state;
END
$$;

-- Does what follows from an event that has had no effect: the one place where that is decided. Outcomes: those of payment_events;
-- the caller writes them.
--
-- Of an amount that arrived, prices in prices_currency are the readings of what is for a booking: it pays for one whose price is one
-- of them. NULL: the amount itself.
--
-- Locks, in this order, after those of lock_payment: the payment, its booking, then pools of its show.
CREATE FUNCTION apply_payment_event(
    the_provider text, the_payment text, the_show bigint, the_booking uuid, occurred timestamptz, the_change text,
    amount bigint, the_currency text, the_about text, the_about_state text,
    max_in_all integer, address_allowance integer, partner_allowance integer, prices bigint[], prices_currency text,
    OUT outcome text, OUT reason text
) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    was     payments;
    becomes payments;
    is_new  boolean;
    is_told boolean := false;
    -- Of the readings the one that is the booking's price.
    price   bigint;
    kind    text;
    kinds   constant text[] := '{part,amount,full}';
BEGIN
    outcome := 'kept';
    SELECT * INTO was FROM payments WHERE provider = the_provider AND payment_id = the_payment FOR UPDATE;
    is_new := NOT FOUND;
    IF is_new THEN
        was.provider := the_provider;
        was.payment_id := the_payment;
        was.show_id := the_show;
        was.booking_id := the_booking;
        was.state := 'pending';
        was.refunded_minor := 0;
        was.returned_minor := 0;
        was.wanted_minor := 0;
        was.disputed := false;
    END IF;
    becomes := was;
    -- What was refunded and settled before refunds were rows: it was told as a total.
    IF was.total_at IS NULL AND was.settled_at IS NULL AND (was.state = 'refunded' OR was.refunded_minor > 0)
        AND NOT EXISTS (SELECT FROM payment_refunds WHERE provider = the_provider AND payment_id = the_payment)
        AND NOT EXISTS (SELECT FROM payment_disputes WHERE provider = the_provider AND payment_id = the_payment) THEN
        becomes.total_kind := CASE was.state WHEN 'refunded' THEN 'full' ELSE 'amount' END;
        becomes.total_at := coalesce(was.refund_told_at, was.updated_at);
        IF was.state = 'refunded' THEN
            becomes.full_told_at := becomes.total_at;
        ELSE
            becomes.total_minor := was.refunded_minor;
            becomes.total_currency := was.currency;
        END IF;
    END IF;

    CASE the_change
    WHEN 'succeeded' THEN
        IF prices IS NULL THEN
            prices := ARRAY[amount];
            prices_currency := the_currency;
        END IF;
        -- A booking's price does not change, so that no lock is needed to read it.
        SELECT amount_minor INTO price
        FROM bookings
        WHERE show_id = coalesce(the_show, was.show_id) AND id = coalesce(the_booking, was.booking_id)
            AND amount_minor = ANY (prices) AND currency = prices_currency;
        -- Of two events of one success (Stripe's payment intent and checkout session) the first may name no booking, or may not
        -- tell what of the amount is for it. Money that was sent back since pays for nothing.
        IF was.succeeded_at IS NULL OR (was.state = 'unclaimed' AND the_booking IS NOT NULL)
            OR (was.state = 'refund_due' AND was.reason = 'wrong_amount' AND price IS NOT NULL
                AND (the_booking IS NULL OR (the_show, the_booking) = (was.show_id, was.booking_id))
                AND was.wanted_minor = 0 AND was.returned_minor = 0 AND NOT was.disputed) THEN
            IF the_booking IS NOT NULL THEN
                becomes.show_id := the_show;
                becomes.booking_id := the_booking;
            END IF;
            becomes.amount_minor := amount;
            becomes.currency := the_currency;
            price := coalesce(price, prices[1]);
            IF (price, prices_currency) IS DISTINCT FROM (amount, the_currency) THEN
                becomes.price_minor := price;
                becomes.price_currency := prices_currency;
            ELSE
                becomes.price_minor := NULL;
                becomes.price_currency := NULL;
            END IF;
            becomes.succeeded_at := clock_timestamp();
            becomes.reason := NULL;
            IF becomes.booking_id IS NULL THEN
                becomes.state := 'unclaimed';
                becomes.reason := 'names_no_booking';
            ELSE
                -- Refunds and disputes may have been told of first: what was meant to go back buys nothing.
                becomes.state := 'refunded';
                IF NOT is_new THEN
                    becomes := count_refunds(becomes);
                END IF;
                IF becomes.wanted_minor < amount OR (amount = 0 AND becomes.full_told_at IS NULL) THEN
                    becomes.reason := pay_booking(
                        becomes.show_id, becomes.booking_id, price, prices_currency, occurred, max_in_all, address_allowance,
                        partner_allowance);
                    becomes.state := CASE WHEN becomes.reason IS NULL THEN 'confirmed' ELSE 'refund_due' END;
                END IF;
            END IF;
            IF NOT is_new THEN
                becomes := count_refunds(becomes);
            END IF;
            outcome := becomes.state;
        END IF;
    WHEN 'failed', 'cancelled' THEN
        -- Success wins, whichever came first.
        IF was.state = 'pending' THEN
            becomes.state := 'failed';
        END IF;
    WHEN 'refunded', 'refunded_in_part' THEN
        kind := CASE WHEN amount IS NULL THEN 'full' WHEN the_change = 'refunded_in_part' THEN 'part' ELSE 'amount' END;
        -- What cannot be of money that was received is not counted; see payment_refunded.
        IF kind = 'full' OR was.amount_minor IS NULL
            OR (the_currency = was.currency AND (amount < was.amount_minor OR (amount = was.amount_minor AND kind = 'amount')))
        THEN
            becomes.refund_told_at := greatest(was.refund_told_at, occurred);
            IF kind = 'full' THEN
                becomes.full_told_at := least(becomes.full_told_at, occurred);
            ELSE
                becomes.refunded_minor := greatest(was.refunded_minor, amount);
            END IF;
            IF becomes.total_at IS NULL
                OR (occurred, array_position(kinds, kind), coalesce(amount, 0))
                    > (becomes.total_at, array_position(kinds, becomes.total_kind), coalesce(becomes.total_minor, 0)) THEN
                becomes.total_kind := kind;
                becomes.total_minor := amount;
                becomes.total_currency := the_currency;
                becomes.total_at := occurred;
            END IF;
            becomes := count_refunds(becomes);
        END IF;
    WHEN 'refund' THEN
        PERFORM tell_refund(the_provider, the_payment, the_about, amount, the_currency, the_about_state, occurred);
        IF the_about_state <> 'failed' THEN
            becomes.refund_told_at := greatest(was.refund_told_at, occurred);
        END IF;
        becomes := count_refunds(becomes);
    WHEN 'refund_failed' THEN
        becomes.refund_failed_at := greatest(was.refund_failed_at, occurred);
        becomes := count_refunds(becomes);
    WHEN 'disputed' THEN
        is_told := tell_dispute(the_provider, the_payment, the_about, amount, the_currency, the_about_state, occurred);
        becomes := count_refunds(becomes);
    END CASE;

    IF the_change <> 'succeeded' THEN
        IF the_change = 'disputed' AND is_told AND becomes.disputed THEN
            outcome := 'disputed';
        ELSIF becomes.state = 'refunded' AND was.state <> 'refunded' THEN
            outcome := 'refunded';
        ELSIF payment_due(becomes) > payment_due(was) THEN
            outcome := 'refund_due';
        END IF;
    END IF;
    reason := CASE WHEN outcome = 'refund_due' THEN coalesce(becomes.reason, 'refund_failed') END;
    IF is_new OR becomes IS DISTINCT FROM was THEN
        PERFORM write_payment(becomes);
    END IF;
END
$$;

-- Records an event and does what follows from it, once. Outcomes: those of payment_events, or repeated.
--
-- What a provider sent of a payment that names no booking is not kept, but for what was not understood: it is about somebody
-- else's customers.
--
-- Locks: those of lock_payment, then the payment, its booking, pools of its show.
CREATE FUNCTION record_payment_event(
    the_provider text, the_event text, the_type text, the_payment text, the_show bigint, the_booking uuid,
    occurred timestamptz, the_change text, amount bigint, the_currency text, the_about text, the_about_state text,
    the_payload text, max_in_all integer, address_allowance integer, partner_allowance integer,
    prices bigint[] DEFAULT NULL, prices_currency text DEFAULT NULL,
    OUT outcome text, OUT reason text
) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    has_effect constant boolean := the_payment IS NOT NULL AND the_change NOT IN ('other', 'unreadable');
    keeps_it   boolean := the_booking IS NOT NULL OR the_change = 'unreadable';
BEGIN
    outcome := 'kept';
    IF has_effect THEN
        PERFORM lock_payment(
            the_provider, the_payment, the_show, the_booking, the_change = 'succeeded' AND max_in_all IS NOT NULL);
        IF EXISTS (SELECT FROM payment_events WHERE provider = the_provider AND event_id = the_event) THEN
            outcome := 'repeated';
            RETURN;
        END IF;
        SELECT applied.outcome, applied.reason INTO outcome, reason
        FROM apply_payment_event(
            the_provider, the_payment, the_show, the_booking, occurred, the_change, amount, the_currency, the_about,
            the_about_state, max_in_all, address_allowance, partner_allowance, prices, prices_currency) AS applied;
    END IF;
    keeps_it := keeps_it OR EXISTS (
        SELECT FROM payments WHERE provider = the_provider AND payment_id = the_payment AND booking_id IS NOT NULL);
    INSERT INTO payment_events (
        provider, event_id, type, payment_id, show_id, booking_id, occurred_at, change, amount_minor, currency, about_id,
        about_state, outcome, reason, payload)
    VALUES (
        the_provider, the_event, the_type, the_payment, the_show, the_booking, occurred, the_change, amount, the_currency,
        the_about, the_about_state, outcome, reason, CASE WHEN keeps_it THEN the_payload ELSE '' END)
    ON CONFLICT (provider, event_id) DO NOTHING;
    IF NOT FOUND THEN
        IF has_effect THEN
            RAISE serialization_failure USING MESSAGE = 'another payment has this event; it is to be run again';
        END IF;
        outcome := 'repeated';
    END IF;
END
$$;

-- As the functions of a version call it that knows neither refunds by their ids nor disputes nor limits of a late payment: it is
-- told what it knows. For the time of a deployment.
CREATE OR REPLACE FUNCTION record_payment(
    the_provider text, the_event text, the_type text, the_payment text, the_show bigint, the_booking uuid,
    occurred timestamptz, the_change text, amount bigint, the_currency text, the_payload text,
    OUT outcome text, OUT reason text
) LANGUAGE sql AS $$
    SELECT CASE recorded.outcome WHEN 'unclaimed' THEN 'kept' ELSE recorded.outcome END, recorded.reason
    FROM record_payment_event(
        the_provider, the_event, the_type, the_payment, the_show, the_booking, occurred, the_change, amount, the_currency,
        NULL, NULL, the_payload, NULL, NULL, NULL) AS recorded
$$;

-- Gives an event that was not understood the meaning that it has by now, and does what follows from it, once. The time
-- at which it came stays as it is; its payload too, unless it turns out to be of a payment that names no booking. Outcomes: those
-- of payment_events; repeated: it is understood already; NULL: there is no such event.
--
-- Locks: the event, then as record_payment_event.
CREATE FUNCTION replay_event(
    the_provider text, the_event text, the_type text, the_payment text, the_show bigint, the_booking uuid,
    occurred timestamptz, the_change text, amount bigint, the_currency text, the_about text, the_about_state text,
    max_in_all integer, address_allowance integer, partner_allowance integer,
    prices bigint[] DEFAULT NULL, prices_currency text DEFAULT NULL,
    OUT outcome text, OUT reason text
) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    was_understood boolean;
BEGIN
    SELECT change <> 'unreadable' INTO was_understood
    FROM payment_events
    WHERE provider = the_provider AND event_id = the_event
    FOR UPDATE;
    IF NOT FOUND THEN
        RETURN;
    ELSIF was_understood THEN
        outcome := 'repeated';
        RETURN;
    END IF;
    outcome := 'kept';
    IF the_payment IS NOT NULL AND the_change NOT IN ('other', 'unreadable') THEN
        PERFORM lock_payment(
            the_provider, the_payment, the_show, the_booking, the_change = 'succeeded' AND max_in_all IS NOT NULL);
        SELECT applied.outcome, applied.reason INTO outcome, reason
        FROM apply_payment_event(
            the_provider, the_payment, the_show, the_booking, occurred, the_change, amount, the_currency, the_about,
            the_about_state, max_in_all, address_allowance, partner_allowance, prices, prices_currency) AS applied;
    END IF;
    UPDATE payment_events
    SET type = the_type, payment_id = the_payment, show_id = the_show, booking_id = the_booking, occurred_at = occurred,
        change = the_change, amount_minor = amount, currency = the_currency, about_id = the_about,
        about_state = the_about_state, outcome = replay_event.outcome, reason = replay_event.reason,
        payload = CASE
            WHEN the_change = 'unreadable' OR the_booking IS NOT NULL OR EXISTS (
                SELECT FROM payments WHERE provider = the_provider AND payment_id = the_payment AND booking_id IS NOT NULL)
            THEN payload ELSE '' END
    WHERE provider = the_provider AND event_id = the_event;
END
$$;

-- As record_payment, for an older version.
CREATE OR REPLACE FUNCTION replay_payment_event(
    the_provider text, the_event text, the_type text, the_payment text, the_show bigint, the_booking uuid,
    occurred timestamptz, the_change text, amount bigint, the_currency text,
    OUT outcome text, OUT reason text
) LANGUAGE sql AS $$
    SELECT CASE replayed.outcome WHEN 'unclaimed' THEN 'kept' ELSE replayed.outcome END, replayed.reason
    FROM replay_event(
        the_provider, the_event, the_type, the_payment, the_show, the_booking, occurred, the_change, amount, the_currency,
        NULL, NULL, NULL, NULL, NULL) AS replayed
$$;

-- What an answer says of a payment beside its columns: its state as operators see it, where disputed stands before all others;
-- what went back and what is due; and its latest 20 refunds and disputes, as JSON.
--
-- Locks: none.
CREATE FUNCTION payment_report(
    the_payment payments,
    OUT shown_state text, OUT refunded_minor bigint, OUT refund_due_minor bigint, OUT refunds text, OUT disputes text
) LANGUAGE sql VOLATILE AS $$
    SELECT
        CASE WHEN the_payment.disputed THEN 'disputed' ELSE the_payment.state END,
        CASE
            WHEN the_payment.state = 'refunded' THEN coalesce(the_payment.amount_minor, the_payment.returned_minor)
            ELSE the_payment.returned_minor END,
        payment_due(the_payment),
        coalesce((
            SELECT json_agg(json_build_object('refund_id', refund_id, 'amount_minor', amount_minor, 'currency', currency,
                'state', state) ORDER BY first_told_at, refund_id)
            FROM (
                SELECT *
                FROM payment_refunds
                WHERE provider = the_payment.provider AND payment_id = the_payment.payment_id
                ORDER BY first_told_at DESC, refund_id DESC
                LIMIT 20
            ) AS latest), '[]')::text,
        coalesce((
            SELECT json_agg(json_build_object('dispute_id', dispute_id, 'amount_minor', amount_minor, 'currency', currency,
                'state', state, 'decision', decision) ORDER BY created_at, dispute_id)
            FROM (
                SELECT *
                FROM payment_disputes
                WHERE provider = the_payment.provider AND payment_id = the_payment.payment_id
                ORDER BY created_at DESC, dispute_id DESC
                LIMIT 20
            ) AS latest), '[]')::text
$$;

-- Marks all that is due of a payment as given back. No row: there is no such payment. Else the payment as it is now, and whether
-- this call settled it.
--
-- Locks: the payment.
CREATE FUNCTION settle_payment(the_provider text, the_payment text)
RETURNS TABLE (payment payments, changed boolean) LANGUAGE plpgsql AS $$
BEGIN
    SELECT * INTO payment FROM payments WHERE provider = the_provider AND payment_id = the_payment FOR UPDATE;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    changed := payment.state = 'refund_due' OR payment_due(payment) > 0;
    IF changed THEN
        payment.settled_minor := CASE payment.state WHEN 'refund_due' THEN payment.amount_minor ELSE payment.wanted_minor END;
        payment.settled_at := clock_timestamp();
        payment.returned_minor := payment.settled_minor;
        payment.wanted_minor := greatest(payment.wanted_minor, payment.settled_minor);
        payment.state := CASE payment.state WHEN 'refund_due' THEN 'refunded' ELSE payment.state END;
        payment.disputed := is_disputed(payment);
        PERFORM write_payment(payment);
        SELECT * INTO payment FROM payments WHERE provider = the_provider AND payment_id = the_payment;
    END IF;
    RETURN NEXT;
END
$$;

-- Decides what becomes of a booking whose payment was lost in a dispute: keep, it stays as it is though its money is gone; cancel,
-- it fails and its seats are given back, unless another payment of it takes the place of this one. No row: there is no such
-- payment. Else the payment as it is now, the decision that stands (NULL: no dispute of it was lost), and whether this call made it.
--
-- Locks: those of lock_payment, then the payment, its booking, one pool.
CREATE FUNCTION decide_dispute(the_provider text, the_payment text, the_decision text)
RETURNS TABLE (payment payments, decided text, changed boolean) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM lock_payment(the_provider, the_payment, NULL, NULL, false);
    SELECT * INTO payment FROM payments WHERE provider = the_provider AND payment_id = the_payment FOR UPDATE;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    UPDATE payment_disputes
    SET decision = the_decision, decided_at = clock_timestamp(), updated_at = clock_timestamp()
    WHERE provider = the_provider AND payment_id = the_payment AND state = 'lost' AND decision IS NULL
        -- Before its success is known there is no booking to decide about, and after a refund none either.
        AND payment.state = 'confirmed';
    changed := FOUND;
    IF changed THEN
        IF the_decision = 'cancel' THEN
            PERFORM unconfirm_payment(payment);
            payment.state := 'refund_due';
            payment.reason := 'dispute_lost';
        END IF;
        payment := count_refunds(payment);
        PERFORM write_payment(payment);
        SELECT * INTO payment FROM payments WHERE provider = the_provider AND payment_id = the_payment;
    END IF;
    SELECT decision INTO decided
    FROM payment_disputes
    WHERE provider = the_provider AND payment_id = the_payment AND state = 'lost' AND decision IS NOT NULL
    ORDER BY decided_at DESC
    LIMIT 1;
    RETURN NEXT;
END
$$;
