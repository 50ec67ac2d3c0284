-- Takes a booking from a confirmed payment whose money is returned. If another payment of the booking waits as already_paid, it
-- replaces this one and the booking stays as it is. Otherwise the booking fails and its seats are released. The payment is
-- 'refunded' then, until the caller writes another state.
--
-- Parameters: the_payment. The caller has its lock, and the lock of the booking's payments (lock_payment).
-- Locks: the payment that replaces it, the booking, then one pool.
-- Outcomes: none.
-- Called by: count_refunds, decide_dispute.
CREATE OR REPLACE FUNCTION unconfirm_payment(the_payment payments) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    heir payments;
BEGIN
    -- First, because a booking has at most one confirmed payment.
    UPDATE payments SET state = 'refunded', updated_at = clock_timestamp()
    WHERE provider = the_payment.provider AND payment_id = the_payment.payment_id;
    SELECT * INTO heir
    FROM payments
    WHERE show_id = the_payment.show_id AND booking_id = the_payment.booking_id
        AND state = 'refund_due' AND reason = 'already_paid' AND NOT disputed AND returned_minor = 0 AND wanted_minor = 0
    ORDER BY succeeded_at, provider, payment_id
    LIMIT 1
    FOR UPDATE;
    IF FOUND THEN
        PERFORM FROM bookings
        WHERE show_id = the_payment.show_id AND id = the_payment.booking_id AND status = 'CONFIRMED'
        FOR UPDATE;
        IF FOUND THEN
            UPDATE payments SET state = 'confirmed', reason = NULL, updated_at = clock_timestamp()
            WHERE provider = heir.provider AND payment_id = heir.payment_id;
            RETURN;
        END IF;
    END IF;
    PERFORM refund_booking(the_payment.show_id, the_payment.booking_id);
END
$$;
