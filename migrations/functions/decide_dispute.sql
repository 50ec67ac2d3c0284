-- Decides what becomes of a booking whose payment was lost in a dispute.
--
-- Parameters: the_provider, the_payment; the_decision: keep (the booking stays as it is though its money is gone) or cancel (it
-- fails and its seats are released, unless another payment of the booking replaces this one).
-- Locks: those of lock_payment, then the payment, its booking, one pool.
-- Outcomes: no row: there is no such payment. Else payment: as it is now; decided: the decision that stands, NULL if no dispute was
-- lost; changed: whether this call made the decision.
-- Called by: the statement that decides a dispute.
CREATE OR REPLACE FUNCTION decide_dispute(the_provider text, the_payment text, the_decision text)
RETURNS TABLE (payment payments, decided text, changed boolean) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM lock_payment(the_provider, the_payment, NULL, NULL, false);
    SELECT * INTO payment FROM payments WHERE provider = the_provider AND payment_id = the_payment FOR UPDATE;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    UPDATE payment_disputes
    SET decision = the_decision, decided_at = clock_timestamp(), updated_at = clock_timestamp()
    WHERE provider = the_provider AND payment_id = the_payment AND state = 'lost' AND decision IS NULL
        -- Only a confirmed payment has a booking to decide about.
        AND payment.state = 'confirmed';
    changed := FOUND;
    IF changed THEN
        IF the_decision = 'cancel' THEN
            PERFORM unconfirm_payment(payment);
            payment.state := 'refund_due';
            payment.reason := 'dispute_lost';
        END IF;
        payment := count_refunds(payment);
        PERFORM write_payment(payment);
        SELECT * INTO payment FROM payments WHERE provider = the_provider AND payment_id = the_payment;
    END IF;
    SELECT decision INTO decided
    FROM payment_disputes
    WHERE provider = the_provider AND payment_id = the_payment AND state = 'lost' AND decision IS NOT NULL
    ORDER BY decided_at DESC
    LIMIT 1;
    RETURN NEXT;
END
$$;
