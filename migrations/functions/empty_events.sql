-- Empties the payloads of the events of these bookings.
--
-- Parameters: of_shows and ids: the show and the id of each booking, in the same order.
-- Locks: the events, last. Replaying an event locks it before its payment and booking. If that meets an erasure of the same
-- booking, the server aborts one of the two as a deadlock, and it is run again.
-- Outcomes: none.
-- Called by: anonymise, empty_event_of_anonymised.
CREATE OR REPLACE FUNCTION empty_events(of_shows bigint[], ids uuid[]) RETURNS void LANGUAGE sql AS $$
    UPDATE payment_events
    SET payload = ''
    FROM unnest(of_shows, ids) AS named (show_id, id)
    CROSS JOIN LATERAL events_of_booking(named.show_id, named.id) AS event
    WHERE payment_events.provider = event.provider AND payment_events.event_id = event.event_id
        AND payment_events.payload <> ''
$$;
