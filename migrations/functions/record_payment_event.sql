-- Records an event of a payment provider and does what follows from it, once.
--
-- The payload of a payment that names no booking is not kept: it is about somebody else's customers. The payload of an unreadable
-- event is kept, because an operator may replay the event.
--
-- Parameters: the_event: the event's id; the_type: the provider's name for its kind; the_payload: the body as received. All others
-- as in apply_payment_event.
-- Locks: those of lock_payment, then the payment, its booking, pools of its show.
-- Outcomes: those of apply_payment_event, or repeated: the event is recorded already.
-- serialization_failure: another payment has this event's id; run it again.
-- Called by: superseded/record_payment; the statement that records a payment.
CREATE OR REPLACE FUNCTION record_payment_event(
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
