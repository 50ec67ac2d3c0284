-- How much of a payment must still be refunded. If it paid for nothing: all that was not returned yet. If it paid for a booking:
-- what was meant to be returned and was not, because a refund failed.
--
-- Parameters: the_payment.
-- Locks: none.
-- Outcomes: the amount in minor units.
-- Called by: apply_payment_event, payment_report, settle_payment.
CREATE OR REPLACE FUNCTION payment_due(the_payment payments) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE the_payment.state
        WHEN 'refund_due' THEN the_payment.amount_minor - least(the_payment.returned_minor, the_payment.amount_minor)
        WHEN 'confirmed' THEN the_payment.wanted_minor - least(the_payment.returned_minor, the_payment.wanted_minor)
        ELSE 0 END
$$;
