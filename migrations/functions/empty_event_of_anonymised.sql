-- Trigger: empties the payload of an event whose booking was anonymised before the event arrived. A refund may be reported long
-- after its booking was anonymised, and often follows a request for erasure.
--
-- It waits for a transaction that is anonymising the booking. So either the erasure sees the event, or the event sees the erasure.
-- It is deferred until the transaction has done everything else: two events of one payment would deadlock if they locked the
-- booking before the payment.
--
-- Parameters: NEW, the row of payment_events.
-- Locks: the booking, in a mode that conflicts with its erasure only and that the transaction mostly has already. Then the events,
-- if the booking was anonymised.
-- Outcomes: none; the row is already written.
-- Called by: the trigger payment_events_of_anonymised.
CREATE OR REPLACE FUNCTION empty_event_of_anonymised() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    named   record;
    is_gone boolean;
BEGIN
    FOR named IN
        SELECT NEW.show_id, NEW.booking_id WHERE NEW.booking_id IS NOT NULL
        UNION
        SELECT show_id, booking_id
        FROM payments
        WHERE provider = NEW.provider AND payment_id = NEW.payment_id AND booking_id IS NOT NULL
        ORDER BY 1, 2
    LOOP
        SELECT anonymised_at IS NOT NULL INTO is_gone
        FROM bookings
        WHERE show_id = named.show_id AND id = named.booking_id
        FOR KEY SHARE;
        IF is_gone THEN
            PERFORM empty_events(ARRAY[named.show_id], ARRAY[named.booking_id]);
        END IF;
    END LOOP;
    RETURN NULL;
END
$$;
