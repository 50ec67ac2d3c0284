-- Prices, payments, and the inbox of payment events.
--
-- Invariants, besides that of the first migration:
--   a payment whose success was received is exactly one of confirmed, refund_due, refunded
--   a booking has at most one confirmed payment, of the booking's amount, and is CONFIRMED then
--   an event has its effect once, in the transaction that records it

-- What a seat costs, in minor units; a thousand seats still fit a JSON number. Without a price only an operator confirms.
ALTER TABLE shows
    ADD COLUMN price_minor bigint CONSTRAINT shows_price_range CHECK (price_minor BETWEEN 1 AND 1000000000000),
    ADD COLUMN currency    text   CONSTRAINT shows_currency CHECK (currency ~ '^[A-Z]{3}$'),
    ADD CONSTRAINT shows_price_has_currency CHECK ((price_minor IS NULL) = (currency IS NULL));

-- The booking's amount, all seats together, as the price was when it was made.
ALTER TABLE bookings
    ADD COLUMN amount_minor bigint CONSTRAINT bookings_amount_positive CHECK (amount_minor > 0),
    ADD COLUMN currency     text   CONSTRAINT bookings_currency CHECK (currency ~ '^[A-Z]{3}$'),
    ADD CONSTRAINT bookings_amount_has_currency CHECK ((amount_minor IS NULL) = (currency IS NULL)),
    DROP CONSTRAINT bookings_failure_reason,
    ADD CONSTRAINT bookings_failure_reason CHECK (failure_reason IN ('expired', 'cancelled', 'refunded'));

-- One row for each payment that a provider told of, whatever it told.
--
-- The key has no show_id, other than every other key: a payment is the provider's, and an event that only names the
-- payment (a refund) must find it. With the show in the key, one payment that names two bookings would pay for both.
CREATE TABLE payments (
    provider         text        NOT NULL CONSTRAINT payments_provider CHECK (provider IN ('stripe', 'standard')),
    payment_id       text        NOT NULL CONSTRAINT payments_payment_id_length CHECK (char_length(payment_id) BETWEEN 1 AND 255),
    -- The booking that its success names. No foreign key: it may not exist, and that is worth keeping.
    show_id          bigint,
    booking_id       uuid,
    state            text        NOT NULL CONSTRAINT payments_state
                                 CHECK (state IN ('pending', 'failed', 'confirmed', 'refund_due', 'refunded')),
    -- Why a refund is due, or was.
    reason           text,
    -- What arrived.
    amount_minor     bigint      CONSTRAINT payments_amount_not_negative CHECK (amount_minor >= 0),
    currency         text        CONSTRAINT payments_currency CHECK (currency ~ '^[A-Z]{3}$'),
    -- When we were told of its success.
    succeeded_at     timestamptz,
    -- The most that an event said was refunded, while that was not all of it.
    refunded_minor   bigint      NOT NULL DEFAULT 0,
    -- When a refund failed last, by the provider's clock: what it told of refunds before then is no longer so.
    refund_failed_at timestamptz,
    -- When a refund was told of last, by the provider's clock, or settled by an operator: a failure before then is of
    -- an earlier one.
    refund_told_at   timestamptz,
    created_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (provider, payment_id),
    CONSTRAINT payments_booking_has_show CHECK ((show_id IS NULL) = (booking_id IS NULL)),
    CONSTRAINT payments_amount_has_currency CHECK ((amount_minor IS NULL) = (currency IS NULL)),
    CONSTRAINT payments_success_has_amount CHECK ((succeeded_at IS NULL) = (amount_minor IS NULL)),
    -- A refund may be heard of before the success.
    CONSTRAINT payments_success_is_decided CHECK (CASE state
        WHEN 'confirmed' THEN succeeded_at IS NOT NULL AND booking_id IS NOT NULL
        WHEN 'refund_due' THEN succeeded_at IS NOT NULL
        WHEN 'refunded' THEN true
        ELSE succeeded_at IS NULL END),
    CONSTRAINT payments_refund_due_has_reason CHECK (state <> 'refund_due' OR reason IS NOT NULL)
);

CREATE UNIQUE INDEX payments_one_confirmed ON payments (show_id, booking_id) WHERE state = 'confirmed';

-- Serves the reconciliation, by show.
CREATE INDEX payments_by_booking ON payments (show_id, booking_id) WHERE show_id IS NOT NULL;

-- Serves the keyset pages of an operator.
CREATE INDEX payments_by_state ON payments (state, created_at, provider, payment_id);

-- The inbox: every verified event, once.
CREATE TABLE payment_events (
    provider     text        NOT NULL CONSTRAINT payment_events_provider CHECK (provider IN ('stripe', 'standard')),
    event_id     text        NOT NULL CONSTRAINT payment_events_event_id_length CHECK (char_length(event_id) BETWEEN 1 AND 255),
    type         text        NOT NULL CONSTRAINT payment_events_type_length CHECK (char_length(type) <= 255),
    payment_id   text        CONSTRAINT payment_events_payment_id_length CHECK (char_length(payment_id) BETWEEN 1 AND 255),
    show_id      bigint,
    booking_id   uuid,
    -- By the provider's clock; received_at by ours.
    occurred_at  timestamptz NOT NULL,
    received_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    change       text        NOT NULL CONSTRAINT payment_events_change CHECK (change IN
                             ('succeeded', 'failed', 'cancelled', 'refunded', 'refund_failed', 'other', 'unreadable')),
    amount_minor bigint,
    currency     text,
    -- What followed from it.
    outcome      text        NOT NULL CONSTRAINT payment_events_outcome
                             CHECK (outcome IN ('confirmed', 'refund_due', 'refunded', 'kept')),
    reason       text,
    -- The body as it was received, up to 64 KiB. Text, since it may be no JSON.
    payload      text        NOT NULL CONSTRAINT payment_events_payload_size CHECK (octet_length(payload) <= 65536),
    PRIMARY KEY (provider, event_id)
);

-- Serves the reconciliation, by show.
CREATE INDEX payment_events_by_show ON payment_events (show_id) WHERE change = 'succeeded';

-- Serves the question what became of a payment.
CREATE INDEX payment_events_by_payment ON payment_events (provider, payment_id) WHERE payment_id IS NOT NULL;

-- The functions below are one operation, record_payment. It is written as functions since what it locks and reads next
-- depends on what it read under the lock before: so it is one round trip, each of its statements has a snapshot that is
-- younger than the locks before it, and no lock is held while a packet travels. A later migration replaces them whole.
--
-- Locks, in this order: the event's key, the payment, its booking, then pools of its show.

-- Takes seats for a booking whose own were given back, and says whether it could.
--
-- Locks: one pool; only when no single pool has the seats: all pools of the show, in the order of pool_no.
CREATE FUNCTION take_seats(the_show bigint, wanted integer) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    pool  integer;
    taken bigint;
BEGIN
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

-- Pays for a booking: confirms it, or says why the money is to be given back (NULL: it is confirmed).
--
-- Locks: the booking; then pools if its seats were given back.
CREATE FUNCTION pay_booking(the_show bigint, the_booking uuid, amount bigint, the_currency text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    booking bookings;
    late    boolean;
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
    ELSIF booking.failure_reason = 'refunded' THEN
        RETURN 'booking_refunded';
    ELSIF late AND EXISTS (SELECT FROM shows WHERE id = the_show AND start_time <= clock_timestamp()) THEN
        RETURN 'hold_expired_show_started';
    -- The seats of a hold that nobody has expired yet were not given back: they are still its own, however late it is.
    ELSIF booking.status = 'FAILED' AND NOT take_seats(the_show, booking.seats) THEN
        RETURN 'hold_expired_sold_out';
    END IF;
    UPDATE bookings
    SET status = 'CONFIRMED', failure_reason = NULL, settled_at = clock_timestamp()
    WHERE show_id = the_show AND id = the_booking;
    RETURN NULL;
END
$$;

-- Fails a confirmed booking whose money went back, and gives its seats back to a random pool. A booking that is not
-- confirmed is left alone: a refund must not be refused for it, and the reconciliation tells of it.
--
-- Locks: the booking, then one pool.
CREATE FUNCTION refund_booking(the_show bigint, the_booking uuid) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    booking bookings;
    pool    integer;
BEGIN
    SELECT * INTO booking FROM bookings WHERE show_id = the_show AND id = the_booking FOR UPDATE;
    IF booking.status IS DISTINCT FROM 'CONFIRMED' THEN
        RETURN;
    END IF;
    UPDATE bookings SET status = 'FAILED', failure_reason = 'refunded', settled_at = clock_timestamp()
    WHERE show_id = the_show AND id = the_booking;
    SELECT floor(random() * pools) INTO pool FROM shows WHERE id = the_show;
    UPDATE seat_pools SET free = free + booking.seats WHERE show_id = the_show AND pool_no = pool;
    IF NOT FOUND THEN
        RAISE 'the show % has no pool %', the_show, pool;
    END IF;
END
$$;

-- Records an event and does what follows from it, once. Outcomes: those of payment_events, or repeated.
CREATE FUNCTION record_payment(
    the_provider text, the_event text, the_type text, the_payment text, the_show bigint, the_booking uuid,
    occurred timestamptz, the_change text, amount bigint, the_currency text, the_payload text,
    OUT outcome text, OUT reason text
) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    was     payments;
    becomes payments;
BEGIN
    INSERT INTO payment_events (
        provider, event_id, type, payment_id, show_id, booking_id, occurred_at, change, amount_minor, currency, outcome,
        payload)
    VALUES (
        the_provider, the_event, the_type, the_payment, the_show, the_booking, occurred, the_change, amount,
        the_currency, 'kept', the_payload)
    ON CONFLICT (provider, event_id) DO NOTHING;
    IF NOT FOUND THEN
        outcome := 'repeated';
        RETURN;
    END IF;
    outcome := 'kept';
    IF the_payment IS NULL OR the_change IN ('other', 'unreadable') THEN
        RETURN;
    END IF;

    INSERT INTO payments (provider, payment_id, show_id, booking_id, state)
    VALUES (the_provider, the_payment, the_show, the_booking, 'pending')
    ON CONFLICT (provider, payment_id) DO NOTHING;
    SELECT * INTO STRICT was FROM payments WHERE provider = the_provider AND payment_id = the_payment FOR UPDATE;
    becomes := was;

    CASE the_change
    WHEN 'succeeded' THEN
        -- Of two events of one success the first may name no booking: Stripe's payment intent and checkout session.
        IF was.succeeded_at IS NULL
            OR (was.reason = 'unknown_booking' AND was.state = 'refund_due' AND was.booking_id IS NULL
                AND the_booking IS NOT NULL) THEN
            IF the_booking IS NOT NULL THEN
                becomes.show_id := the_show;
                becomes.booking_id := the_booking;
            END IF;
            becomes.amount_minor := amount;
            becomes.currency := the_currency;
            becomes.succeeded_at := clock_timestamp();
            -- A refund may have been told of first.
            IF was.state = 'refunded' OR (was.refunded_minor > 0 AND was.refunded_minor >= amount) THEN
                becomes.state := 'refunded';
            ELSE
                becomes.reason := pay_booking(becomes.show_id, becomes.booking_id, amount, the_currency);
                becomes.state := CASE WHEN becomes.reason IS NULL THEN 'confirmed' ELSE 'refund_due' END;
            END IF;
            outcome := becomes.state;
        END IF;
    WHEN 'failed', 'cancelled' THEN
        -- Success wins, whichever came first.
        IF was.state = 'pending' THEN
            becomes.state := 'failed';
        END IF;
    WHEN 'refunded' THEN
        becomes.refund_told_at := greatest(was.refund_told_at, occurred);
        IF was.refund_failed_at >= occurred THEN
            -- It was told after its own failure.
            NULL;
        ELSIF amount IS NULL OR (amount >= was.amount_minor AND the_currency = was.currency) THEN
            IF was.state = 'confirmed' THEN
                PERFORM refund_booking(was.show_id, was.booking_id);
            END IF;
            IF was.state <> 'refunded' THEN
                becomes.state := 'refunded';
                outcome := 'refunded';
            END IF;
        ELSIF was.currency IS NULL OR the_currency = was.currency THEN
            becomes.refunded_minor := greatest(was.refunded_minor, amount);
        END IF;
    WHEN 'refund_failed' THEN
        IF was.refund_told_at > occurred THEN
            -- A provider may tell a failure twice, and once after the refund that mended it.
            RETURN;
        END IF;
        becomes.refund_failed_at := greatest(was.refund_failed_at, occurred);
        becomes.refunded_minor := 0;
        IF was.state = 'refunded' AND was.succeeded_at IS NULL THEN
            becomes.state := 'pending';
        ELSIF was.state = 'refunded' THEN
            becomes.state := 'refund_due';
            becomes.reason := 'refund_failed';
            outcome := 'refund_due';
        END IF;
    END CASE;

    reason := CASE WHEN outcome = 'refund_due' THEN becomes.reason END;
    IF becomes IS DISTINCT FROM was THEN
        UPDATE payments
        SET show_id = becomes.show_id, booking_id = becomes.booking_id, state = becomes.state, reason = becomes.reason,
            amount_minor = becomes.amount_minor, currency = becomes.currency, succeeded_at = becomes.succeeded_at,
            refunded_minor = becomes.refunded_minor, refund_failed_at = becomes.refund_failed_at,
            refund_told_at = becomes.refund_told_at,
            updated_at = clock_timestamp()
        WHERE provider = the_provider AND payment_id = the_payment;
    END IF;
    IF outcome <> 'kept' THEN
        UPDATE payment_events SET (outcome, reason) = (record_payment.outcome, record_payment.reason)
        WHERE provider = the_provider AND event_id = the_event;
    END IF;
END
$$;
