-- Updates a recorded event that was unreadable with what can be read from it now, and does what follows from it, once. The time
-- at which it was received stays as it is. So does its payload, unless the event is about a payment that names no booking.
--
-- Parameters: the_provider and the_event: the event. All others as in apply_payment_event and record_payment_event.
-- Locks: the event, then as record_payment_event.
-- Outcomes: those of apply_payment_event. repeated: the event was readable already. NULL: there is no such event.
-- Called by: superseded/replay_payment_event; the statement that replays an event.
CREATE OR REPLACE FUNCTION replay_event(
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
