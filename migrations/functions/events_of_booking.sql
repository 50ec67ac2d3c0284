-- The events of a booking that still have their payload: the events that name the booking, and the events of its payments.
--
-- One statement without side effects, so that the planner inlines it.
--
-- Parameters: the_show, the_booking.
-- Locks: none.
-- Outcomes: rows of payment_events.
-- Called by: empty_events; the statement that exports a subject's events.
CREATE OR REPLACE FUNCTION events_of_booking(the_show bigint, the_booking uuid) RETURNS SETOF payment_events
LANGUAGE sql STABLE AS $$
    SELECT payment_events.*
    FROM payment_events
    WHERE show_id = the_show AND booking_id = the_booking AND payload <> ''
    UNION ALL
    SELECT payment_events.*
    FROM payments
    JOIN payment_events
        ON payment_events.provider = payments.provider AND payment_events.payment_id = payments.payment_id
    WHERE payments.show_id = the_show AND payments.booking_id = the_booking AND payment_events.payload <> ''
        AND (payment_events.show_id, payment_events.booking_id) IS DISTINCT FROM (the_show, the_booking)
$$;
