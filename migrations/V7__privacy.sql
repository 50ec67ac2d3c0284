-- Personal data goes: out of old bookings, out of what payment providers sent, and on the word of whom it is about.
--
-- Invariant: an event that tells of an anonymised booking has no payload, whichever of the two came first.
--
-- What there is of it: bookings.user_name, holder and idempotency_key (a client's own text), and payment_events.payload (providers
-- put names and addresses there). payments and the other columns of payment_events are ids, amounts and times: they are kept,
-- since accounts must be.

-- Serves the retention job. It has an entry for what the job has not done yet.
--
-- What is new here costs a booking nothing. A payment's event costs the server 0.1 ms more than the 0.6 before.
CREATE INDEX payment_events_to_empty ON payment_events (received_at) WHERE payload <> '';

-- Serves export and erasure by subject.
CREATE INDEX payment_events_by_booking ON payment_events (show_id, booking_id) WHERE show_id IS NOT NULL AND payload <> '';

-- The events that tell of a booking and still have their payload: those that name it, and those of its payments.
--
-- Locks: none. It is one statement, so that the planner puts it into the statement that calls it.
CREATE FUNCTION events_of_booking(the_show bigint, the_booking uuid) RETURNS SETOF payment_events LANGUAGE sql STABLE AS $$
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

-- Empties the payloads of the events that tell of these bookings.
--
-- Locks: the events, last. An operator's replay has the event before its payment and booking: where the two meet over one
-- booking, the server undoes one of them, and it is run again.
CREATE FUNCTION empty_events(of_shows bigint[], ids uuid[]) RETURNS void LANGUAGE sql AS $$
    UPDATE payment_events
    SET payload = ''
    FROM unnest(of_shows, ids) AS named (show_id, id)
    CROSS JOIN LATERAL events_of_booking(named.show_id, named.id) AS event
    WHERE payment_events.provider = event.provider AND payment_events.event_id = event.event_id
        AND payment_events.payload <> ''
$$;

-- Takes the personal data out of these bookings, which the caller has locked, and out of what providers sent about them.
--
-- Locks: the events.
CREATE FUNCTION anonymise(of_shows bigint[], ids uuid[]) RETURNS void LANGUAGE sql AS $$
    SELECT empty_events(of_shows, ids);
    UPDATE bookings
    SET user_name = '(erased)', holder = NULL, idempotency_key = NULL, anonymised_at = clock_timestamp()
    FROM unnest(of_shows, ids) AS named (show_id, id)
    WHERE bookings.show_id = named.show_id AND bookings.id = named.id
$$;

-- Anonymises some of a holder's bookings, whatever state they are in, and gives their number: fewer than at_most, and there
-- are no more.
--
-- Written as a function since what it empties must be younger than its locks: while it waited for a booking, a payment of it
-- may have been recorded.
--
-- Locks: at most at_most bookings by (show_id, id), waited for; then their events.
CREATE FUNCTION erase_holder(the_holder text, at_most bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    of_shows bigint[];
    ids      uuid[];
BEGIN
    SELECT array_agg(batch.show_id), array_agg(batch.id) INTO of_shows, ids
    FROM (
        SELECT show_id, id
        FROM bookings
        WHERE holder = the_holder AND starts_with(holder, 'sub:')
        ORDER BY show_id, id
        LIMIT at_most
        FOR UPDATE
    ) AS batch;
    PERFORM anonymise(of_shows, ids);
    RETURN coalesce(cardinality(ids), 0);
END
$$;

-- A refund may be told of long after its booking was anonymised, and whoever asked to be forgotten is often given the money
-- back just then: what the provider sends of it is not kept.
--
-- It waits for whoever is anonymising the booking: so it is either the erasure that sees the event, or the event that sees the
-- erasure. It runs when the event's transaction is done with everything else: two events of one payment would wait for each
-- other if they had locked the booking before the payment.
--
-- Locks: the booking, against its erasure only; mostly the transaction has it already. Then the events, if it was anonymised.
CREATE FUNCTION empty_event_of_anonymised() RETURNS trigger LANGUAGE plpgsql AS $$
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

CREATE CONSTRAINT TRIGGER payment_events_of_anonymised
    AFTER INSERT OR UPDATE OF payment_id, show_id, booking_id ON payment_events
    DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION empty_event_of_anonymised();

-- A payload is the one thing of a recorded event that the functions take away.
DO $$
BEGIN
    IF to_regrole('boxoffice_app') IS NOT NULL THEN
        GRANT UPDATE (payload) ON payment_events TO boxoffice_app;
    END IF;
END
$$;
