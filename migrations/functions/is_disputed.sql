-- Whether a payment is disputed: a dispute is open, or was lost and an operator must still decide about the booking. A payment that
-- names no booking is not ours to defend. A payment that is due for refund, or refunded, has no booking to decide about.
--
-- Parameters: the_payment. The caller has its lock.
-- Locks: none.
-- Outcomes: true or false.
-- Called by: count_refunds, settle_payment.
CREATE OR REPLACE FUNCTION is_disputed(the_payment payments) RETURNS boolean LANGUAGE sql VOLATILE AS $$
    SELECT the_payment.state <> 'unclaimed' AND EXISTS (
        SELECT FROM payment_disputes
        WHERE provider = the_payment.provider AND payment_id = the_payment.payment_id
            AND (state IN ('opened', 'funds_withdrawn', 'funds_reinstated')
                OR (state = 'lost' AND decision IS NULL AND the_payment.state NOT IN ('refund_due', 'refunded'))))
$$;
