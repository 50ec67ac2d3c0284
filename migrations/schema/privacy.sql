-- Privacy: personal data is removed from bookings and from what providers sent.

-- Functions.
\ir ../functions/events_of_booking.sql
\ir ../functions/empty_events.sql
\ir ../functions/anonymise.sql
\ir ../functions/erase_holder.sql
\ir ../functions/empty_event_of_anonymised.sql

CREATE CONSTRAINT TRIGGER payment_events_of_anonymised
    AFTER INSERT OR UPDATE OF payment_id, show_id, booking_id ON payment_events
    DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION empty_event_of_anonymised();
