-- Records a report about one refund. The state that is further on counts, whichever report comes first: pending, succeeded, failed.
--
-- | it is, and is reported as | pending | succeeded | failed |
-- |---|---|---|---|
-- | not known | pending | succeeded | failed |
-- | pending | pending | succeeded | failed |
-- | succeeded | succeeded | succeeded | failed |
-- | failed | failed | failed | failed |
--
-- Parameters: the_provider, the_payment, the_refund; amount, the_currency and the_state: what is reported; occurred: when, by the
-- provider's clock. The caller has the payment's lock.
-- Locks: only the row of the refund.
-- Outcomes: none.
-- Called by: apply_payment_event.
CREATE OR REPLACE FUNCTION tell_refund(
    the_provider text, the_payment text, the_refund text, amount bigint, the_currency text, the_state text, occurred timestamptz
) RETURNS void LANGUAGE sql AS $$
    INSERT INTO payment_refunds AS refund (
        provider, payment_id, refund_id, amount_minor, currency, state, first_told_at, told_at, failed_at)
    VALUES (the_provider, the_payment, the_refund, amount, the_currency, the_state, occurred, occurred,
        CASE the_state WHEN 'failed' THEN occurred END)
    ON CONFLICT (provider, payment_id, refund_id) DO UPDATE
    SET amount_minor = greatest(refund.amount_minor, excluded.amount_minor),
        state = CASE
            WHEN 'failed' IN (refund.state, excluded.state) THEN 'failed'
            WHEN 'succeeded' IN (refund.state, excluded.state) THEN 'succeeded'
            ELSE 'pending' END,
        first_told_at = least(refund.first_told_at, excluded.first_told_at),
        told_at = greatest(refund.told_at, excluded.told_at),
        failed_at = least(refund.failed_at, excluded.failed_at),
        updated_at = clock_timestamp()
$$;
