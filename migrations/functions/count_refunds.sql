-- What a payment becomes once everything reported about its refunds and disputes is counted. It does not write the payment, but it
-- does take the booking from it.
--
-- | it was | refunds, of the amount received | it becomes |
-- |---|---|---|
-- | confirmed | less than all was ever meant to be returned | confirmed; what failed to be returned is due |
-- | confirmed | all of it, and it was returned | refunded; the booking fails, or another payment replaces this one |
-- | confirmed | all of it, and a part failed | refund_due with reason refund_failed; the booking as above |
-- | refund_due, refunded | all was returned, by refunds, an operator or lost disputes | refunded |
-- | refund_due, refunded | less was returned | refund_due |
-- | unclaimed | any | unclaimed |
-- | its success is not known | the last total is all of it, and nothing failed since | refunded: it will confirm nothing |
--
-- A payment that lost its booking this way does not get it back: if the refund fails later, its money is due.
--
-- Parameters: the_payment. The caller has its lock.
-- Locks: as unconfirm_payment, if the payment loses its booking.
-- Outcomes: the payment as it becomes.
-- Called by: apply_payment_event, decide_dispute.
CREATE OR REPLACE FUNCTION count_refunds(the_payment payments) RETURNS payments LANGUAGE plpgsql AS $$
DECLARE
    becomes payments := the_payment;
    sums    record;
    all_of  boolean; -- All of it was meant to be returned at some time.
BEGIN
    IF the_payment.succeeded_at IS NULL THEN
        IF the_payment.total_kind = 'full'
            AND (the_payment.refund_failed_at IS NULL OR the_payment.refund_failed_at < the_payment.total_at)
            AND NOT EXISTS (
                SELECT FROM payment_refunds
                WHERE provider = the_payment.provider AND payment_id = the_payment.payment_id
                    AND failed_at >= the_payment.total_at) THEN
            becomes.state := 'refunded';
        ELSIF the_payment.state = 'refunded' THEN
            becomes.state := 'pending';
        END IF;
        becomes.disputed := is_disputed(becomes);
        RETURN becomes;
    END IF;

    SELECT * INTO sums FROM payment_refunded(the_payment);
    becomes.returned_minor := sums.returned;
    becomes.wanted_minor := sums.wanted;
    -- A payment of 0 has nothing to return: only a report or an operator can say that it was refunded.
    all_of := sums.wanted >= the_payment.amount_minor
        AND (the_payment.amount_minor > 0 OR the_payment.full_told_at IS NOT NULL OR the_payment.settled_at IS NOT NULL);
    IF the_payment.state = 'confirmed' AND all_of THEN
        PERFORM unconfirm_payment(the_payment);
        becomes.state := 'refunded';
    END IF;
    IF becomes.state IN ('refund_due', 'refunded') THEN
        becomes.returned_minor := least(the_payment.amount_minor, sums.returned + payment_lost(the_payment));
        IF becomes.returned_minor < the_payment.amount_minor OR (the_payment.amount_minor = 0 AND NOT all_of) THEN
            becomes.state := 'refund_due';
        ELSE
            becomes.state := 'refunded';
        END IF;
        IF all_of AND sums.has_failed THEN
            becomes.reason := 'refund_failed';
        ELSIF becomes.state = 'refund_due' AND becomes.reason IS NULL THEN
            becomes.reason := 'refund_failed';
        END IF;
    END IF;
    becomes.disputed := is_disputed(becomes);
    RETURN becomes;
END
$$;
