-- What is left of payments: the reconciliation reads its rows in slices, and an event that was not understood can be
-- applied later.
--
-- The index of bookings is built while bookings wait: some tenths of a second for two million rows.

-- Serves the reconciliation of bookings that were refunded.
CREATE INDEX bookings_refunded ON bookings (show_id, id) WHERE failure_reason = 'refunded';

-- The reconciliation reads events by their key now: those too that name no show.
DROP INDEX payment_events_by_show;

-- Serves the pages of events that somebody should look at.
CREATE INDEX payment_events_unreadable ON payment_events (received_at, provider, event_id)
    WHERE change = 'unreadable';

-- Does what follows from an event that is in the inbox and has had no effect: the one place where that is decided.
-- Outcomes: those of payment_events; they are written there.
--
-- Locks, in this order, after the event's key: the payment, its booking, then pools of its show.
CREATE FUNCTION apply_payment_event(
    the_provider text, the_event text, the_payment text, the_show bigint, the_booking uuid,
    occurred timestamptz, the_change text, amount bigint, the_currency text,
    OUT outcome text, OUT reason text
) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    was     payments;
    becomes payments;
BEGIN
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
        UPDATE payment_events SET (outcome, reason) = (apply_payment_event.outcome, apply_payment_event.reason)
        WHERE provider = the_provider AND event_id = the_event;
    END IF;
END
$$;

-- Records an event and does what follows from it, once. Outcomes: those of payment_events, or repeated.
CREATE OR REPLACE FUNCTION record_payment(
    the_provider text, the_event text, the_type text, the_payment text, the_show bigint, the_booking uuid,
    occurred timestamptz, the_change text, amount bigint, the_currency text, the_payload text,
    OUT outcome text, OUT reason text
) LANGUAGE plpgsql AS $$
#variable_conflict use_column
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
    SELECT applied.outcome, applied.reason INTO outcome, reason
    FROM apply_payment_event(
        the_provider, the_event, the_payment, the_show, the_booking, occurred, the_change, amount, the_currency
    ) AS applied;
END
$$;

-- Gives an event that was not understood the meaning that it has by now, and does what follows from it, once. Its payload
-- and the time at which it came stay as they are. Outcomes: those of payment_events; repeated: it is understood already;
-- NULL: there is no such event.
--
-- Locks: the event, then as apply_payment_event.
CREATE FUNCTION replay_payment_event(
    the_provider text, the_event text, the_type text, the_payment text, the_show bigint, the_booking uuid,
    occurred timestamptz, the_change text, amount bigint, the_currency text,
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
    UPDATE payment_events
    SET type = the_type, payment_id = the_payment, show_id = the_show, booking_id = the_booking, occurred_at = occurred,
        change = the_change, amount_minor = amount, currency = the_currency
    WHERE provider = the_provider AND event_id = the_event;
    SELECT applied.outcome, applied.reason INTO outcome, reason
    FROM apply_payment_event(
        the_provider, the_event, the_payment, the_show, the_booking, occurred, the_change, amount, the_currency
    ) AS applied;
END
$$;

-- What a replay changes of an event, besides what V5 granted.
GRANT UPDATE (type, payment_id, show_id, booking_id, occurred_at, change, amount_minor, currency) ON payment_events TO boxoffice_app;
