-- Pays for a booking: confirms it, or says why the money must be refunded.
--
-- Parameters: the_show, the_booking; amount and the_currency: what pays for the booking; occurred: when the payment succeeded, by
-- the provider's clock. max_in_all: the most seats that a holder may have unless the show says otherwise, NULL for no limit;
-- address_allowance and partner_allowance: how many holders an address or an API key counts for.
-- Locks: the booking; then pools, if its seats were released. The caller has the holder's lock if the hold is over. If the hold
-- ended just now, the holder's lock is tried without a wait.
-- Outcomes: NULL: the booking is confirmed. Else the reason of the refund: unknown_booking, no_price, wrong_amount, already_paid,
-- booking_cancelled, booking_refunded, hold_expired_show_started, holder_limit or hold_expired_sold_out.
-- serialization_failure: the hold ended meanwhile and the holder's lock was not free; run it again.
-- Called by: apply_payment_event.
CREATE OR REPLACE FUNCTION pay_booking(
    the_show bigint, the_booking uuid, amount bigint, the_currency text, occurred timestamptz,
    max_in_all integer, address_allowance integer, partner_allowance integer
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    booking bookings;
    late    boolean;
    allowed bigint;
BEGIN
    SELECT * INTO booking FROM bookings WHERE show_id = the_show AND id = the_booking FOR UPDATE;
    IF NOT FOUND THEN
        RETURN 'unknown_booking';
    END IF;
    -- Read the clock only now that the lock is held.
    late := booking.status = 'FAILED' OR (booking.status = 'PENDING' AND booking.expires_at <= clock_timestamp());
    IF booking.amount_minor IS NULL THEN
        RETURN 'no_price';
    ELSIF booking.amount_minor <> amount OR booking.currency <> the_currency THEN
        RETURN 'wrong_amount';
    ELSIF EXISTS (
        SELECT FROM payments WHERE show_id = the_show AND booking_id = the_booking AND state = 'confirmed') THEN
        RETURN 'already_paid';
    ELSIF booking.status = 'CONFIRMED' THEN
        -- An operator confirmed the booking before the provider's message arrived. This is its payment.
        RETURN NULL;
    ELSIF booking.failure_reason = 'cancelled' THEN
        RETURN 'booking_cancelled';
    ELSIF booking.failure_reason = 'refunded' AND NOT EXISTS (
        -- The booking was paid twice before the first payment was refunded, but the reports came in another order. This payment
        -- replaces the first if there are still seats.
        SELECT FROM payments
        WHERE show_id = the_show AND booking_id = the_booking AND state IN ('refunded', 'refund_due')
            AND refund_told_at >= occurred) THEN
        RETURN 'booking_refunded';
    ELSIF late AND EXISTS (SELECT FROM shows WHERE id = the_show AND start_time <= clock_timestamp()) THEN
        RETURN 'hold_expired_show_started';
    END IF;
    IF late AND max_in_all IS NOT NULL AND booking.holder IS NOT NULL THEN
        IF NOT try_lock_holder(the_show, booking.holder) THEN
            RAISE serialization_failure USING MESSAGE = 'the hold ended while its payment waited; it is to be run again';
        END IF;
        SELECT most_seats(total_seats, max_seats_per_holder, max_in_all, CASE
            WHEN starts_with(booking.holder, 'key:') THEN partner_allowance
            WHEN starts_with(booking.holder, 'ip:') THEN address_allowance
            ELSE 1 END)
        INTO allowed
        FROM shows
        WHERE id = the_show;
        -- The booking's own hold is over, so it is not part of the holder's seats.
        IF holder_seats(the_show, booking.holder) + booking.seats > allowed THEN
            RETURN 'holder_limit';
        END IF;
    END IF;
    -- A hold that is over but not expired yet still has its seats, however late the payment is.
    IF booking.status = 'FAILED' AND NOT take_seats(the_show, booking.seats) THEN
        RETURN 'hold_expired_sold_out';
    END IF;
    UPDATE bookings
    SET status = 'CONFIRMED', failure_reason = NULL, settled_at = clock_timestamp()
    WHERE show_id = the_show AND id = the_booking;
    RETURN NULL;
END
$$;
