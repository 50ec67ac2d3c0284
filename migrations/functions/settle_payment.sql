-- Marks everything that is due of a payment as returned, on the word of an operator.
--
-- Parameters: the_provider, the_payment.
-- Locks: the payment.
-- Outcomes: no row: there is no such payment. Else payment: as it is now, and changed: whether this call settled it.
-- Called by: the statement that settles a payment.
CREATE OR REPLACE FUNCTION settle_payment(the_provider text, the_payment text)
RETURNS TABLE (payment payments, changed boolean) LANGUAGE plpgsql AS $$
BEGIN
    SELECT * INTO payment FROM payments WHERE provider = the_provider AND payment_id = the_payment FOR UPDATE;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    changed := payment.state = 'refund_due' OR payment_due(payment) > 0;
    IF changed THEN
        payment.settled_minor := CASE payment.state WHEN 'refund_due' THEN payment.amount_minor ELSE payment.wanted_minor END;
        payment.settled_at := clock_timestamp();
        payment.returned_minor := payment.settled_minor;
        payment.wanted_minor := greatest(payment.wanted_minor, payment.settled_minor);
        payment.state := CASE payment.state WHEN 'refund_due' THEN 'refunded' ELSE payment.state END;
        payment.disputed := is_disputed(payment);
        PERFORM write_payment(payment);
        SELECT * INTO payment FROM payments WHERE provider = the_provider AND payment_id = the_payment;
    END IF;
    RETURN NEXT;
END
$$;
