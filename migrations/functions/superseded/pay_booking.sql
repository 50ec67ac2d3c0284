-- For a payment that began before the migration V19: pay_booking without holder limits, and without a second payment that replaces
-- a refunded one.
--
-- Parameters: as in pay_booking.
-- Locks: the booking; then pools, if its seats were released.
-- Outcomes: NULL: the booking is confirmed. Else the reason of the refund.
-- Called by: superseded/apply_payment_event. A later release drops it.
CREATE OR REPLACE FUNCTION pay_booking(the_show bigint, the_booking uuid, amount bigint, the_currency text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    booking bookings;
    late    boolean;
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
    ELSIF booking.failure_reason = 'refunded' THEN
        RETURN 'booking_refunded';
    ELSIF late AND EXISTS (SELECT FROM shows WHERE id = the_show AND start_time <= clock_timestamp()) THEN
        RETURN 'hold_expired_show_started';
    -- A hold that is over but not expired yet still has its seats, however late the payment is.
    ELSIF booking.status = 'FAILED' AND NOT take_seats(the_show, booking.seats) THEN
        RETURN 'hold_expired_sold_out';
    END IF;
    UPDATE bookings
    SET status = 'CONFIRMED', failure_reason = NULL, settled_at = clock_timestamp()
    WHERE show_id = the_show AND id = the_booking;
    RETURN NULL;
END
$$;
