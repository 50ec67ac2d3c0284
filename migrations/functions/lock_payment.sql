-- Makes everything that happens to one payment take turns, and everything that happens to the payments of one booking, until the
-- transaction ends: one payment of a booking may replace another.
--
-- The booking is the one that the payment names already, or else the one that its event names. If the event is a success and the
-- hold is over, the holder is locked first, because a late payment counts what its holder has.
--
-- Parameters: the_provider, the_payment; the_show and the_booking: what the event names, or NULL; is_success: whether holder limits
-- may matter.
-- Locks, in this order: the holder of the show, the payments of the booking, the payment. All are advisory locks.
-- Outcomes: none. serialization_failure: another event named the payment's booking meanwhile; run it again.
-- Called by: record_payment_event, replay_event, decide_dispute.
CREATE OR REPLACE FUNCTION lock_payment(
    the_provider text, the_payment text, the_show bigint, the_booking uuid, is_success boolean
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    named      record;
    its_holder text;
BEGIN
    SELECT show_id, booking_id INTO named
    FROM payments
    WHERE provider = the_provider AND payment_id = the_payment AND booking_id IS NOT NULL;
    IF NOT FOUND THEN
        SELECT the_show AS show_id, the_booking AS booking_id INTO named;
    END IF;
    IF is_success THEN
        SELECT holder INTO its_holder
        FROM bookings
        WHERE show_id = named.show_id AND id = named.booking_id
            AND (status = 'FAILED' OR (status = 'PENDING' AND expires_at <= clock_timestamp()));
        IF its_holder IS NOT NULL THEN
            PERFORM lock_holder(named.show_id, its_holder);
        END IF;
    END IF;
    IF named.booking_id IS NOT NULL THEN
        PERFORM pg_advisory_xact_lock(1, hashtext(named.show_id || '-' || named.booking_id));
    END IF;
    PERFORM pg_advisory_xact_lock(2, hashtext(the_provider || ' ' || the_payment));
    -- While we waited, another event may have named the payment's booking. We would not have the lock of that booking's payments.
    IF EXISTS (
        SELECT FROM payments
        WHERE provider = the_provider AND payment_id = the_payment AND booking_id IS NOT NULL
            AND (show_id, booking_id) IS DISTINCT FROM (named.show_id, named.booking_id)) THEN
        RAISE serialization_failure USING MESSAGE = 'the payment named its booking meanwhile; it is to be run again';
    END IF;
END
$$;
