-- How much of a payment the buyer's bank took for good: the amounts of the disputes that were lost.
--
-- Parameters: the_payment. The caller has its lock.
-- Locks: none.
-- Outcomes: the amount in minor units.
-- Called by: count_refunds.
CREATE OR REPLACE FUNCTION payment_lost(the_payment payments) RETURNS bigint LANGUAGE sql VOLATILE AS $$
    SELECT coalesce(sum(CASE WHEN currency = the_payment.currency THEN amount_minor ELSE the_payment.amount_minor END), 0)
    FROM payment_disputes
    WHERE provider = the_payment.provider AND payment_id = the_payment.payment_id AND state = 'lost'
$$;
