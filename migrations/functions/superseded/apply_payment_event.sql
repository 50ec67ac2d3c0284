-- For a payment that began before the migration V19: apply_payment_event without refunds and disputes as rows. It writes the
-- outcome to payment_events itself.
--
-- Parameters: as in apply_payment_event; the_event: the event's id.
-- Locks, in this order, after the event's key: the payment, its booking, then pools of its show.
-- Outcomes: outcome: confirmed, refund_due, refunded or kept. reason: why a refund is due.
-- Called by: calls of record_payment and replay_payment_event that began before the migration V19. A later release drops it.
CREATE OR REPLACE FUNCTION apply_payment_event(
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
        -- One success may have two events (Stripe's payment intent and checkout session). The first may name no booking.
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
            -- A refund may have been reported first.
            IF was.state = 'refunded' OR (was.refunded_minor > 0 AND was.refunded_minor >= amount) THEN
                becomes.state := 'refunded';
            ELSE
                becomes.reason := pay_booking(becomes.show_id, becomes.booking_id, amount, the_currency);
                becomes.state := CASE WHEN becomes.reason IS NULL THEN 'confirmed' ELSE 'refund_due' END;
            END IF;
            outcome := becomes.state;
        END IF;
    WHEN 'failed', 'cancelled' THEN
        -- Success wins, whichever event came first.
        IF was.state = 'pending' THEN
            becomes.state := 'failed';
        END IF;
    WHEN 'refunded' THEN
        becomes.refund_told_at := greatest(was.refund_told_at, occurred);
        IF was.refund_failed_at >= occurred THEN
            -- The refund was reported after its own failure.
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
            -- A provider may report a failure twice, the second time after the refund that replaced it.
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
