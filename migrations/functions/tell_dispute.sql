-- Records a report about one dispute. A decision (closed, won, lost) counts before any other state. Of two decisions, and of two
-- other states, the later one by the provider's clock counts.
--
-- Parameters: the_provider, the_payment, the_dispute; amount, the_currency and the_state: what is reported; occurred: when, by the
-- provider's clock. The caller has the payment's lock.
-- Locks: only the row of the dispute.
-- Outcomes: true: the dispute is new, or its state changed.
-- Called by: apply_payment_event.
CREATE OR REPLACE FUNCTION tell_dispute(
    the_provider text, the_payment text, the_dispute text, amount bigint, the_currency text, the_state text, occurred timestamptz
) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    stages constant text[] := '{opened,funds_withdrawn,funds_reinstated,closed,won,lost}';
    was_state       text;
BEGIN
    SELECT state INTO was_state
    FROM payment_disputes
    WHERE provider = the_provider AND payment_id = the_payment AND dispute_id = the_dispute;
    INSERT INTO payment_disputes AS dispute (provider, payment_id, dispute_id, amount_minor, currency, state, told_at)
    VALUES (the_provider, the_payment, the_dispute, amount, the_currency, the_state, occurred)
    ON CONFLICT (provider, payment_id, dispute_id) DO UPDATE
    SET amount_minor = coalesce(excluded.amount_minor, dispute.amount_minor),
        currency = coalesce(excluded.currency, dispute.currency),
        state = excluded.state, told_at = excluded.told_at, updated_at = clock_timestamp(),
        -- A new decision of the bank needs a new decision of the operator.
        decision = CASE WHEN dispute.state = excluded.state THEN dispute.decision END,
        decided_at = CASE WHEN dispute.state = excluded.state THEN dispute.decided_at END
    WHERE (excluded.state IN ('closed', 'won', 'lost'), excluded.told_at, array_position(stages, excluded.state))
        > (dispute.state IN ('closed', 'won', 'lost'), dispute.told_at, array_position(stages, dispute.state));
    RETURN FOUND AND was_state IS DISTINCT FROM the_state;
END
$$;
