-- What a response contains about a payment in addition to its columns.
--
-- Parameters: the_payment.
-- Locks: none.
-- Outcomes: shown_state: the state that operators see; disputed comes before all others. refunded_minor and refund_due_minor: what
-- was returned and what is due, in minor units. refunds and disputes: the latest 20 of each, as JSON.
-- Called by: the statements that return payments.
CREATE OR REPLACE FUNCTION payment_report(
    the_payment payments,
    OUT shown_state text, OUT refunded_minor bigint, OUT refund_due_minor bigint, OUT refunds text, OUT disputes text
) LANGUAGE sql VOLATILE AS $$
    SELECT
        CASE WHEN the_payment.disputed THEN 'disputed' ELSE the_payment.state END,
        CASE
            WHEN the_payment.state = 'refunded' THEN coalesce(the_payment.amount_minor, the_payment.returned_minor)
            ELSE the_payment.returned_minor END,
        payment_due(the_payment),
        coalesce((
            SELECT json_agg(json_build_object('refund_id', refund_id, 'amount_minor', amount_minor, 'currency', currency,
                'state', state) ORDER BY first_told_at, refund_id)
            FROM (
                SELECT *
                FROM payment_refunds
                WHERE provider = the_payment.provider AND payment_id = the_payment.payment_id
                ORDER BY first_told_at DESC, refund_id DESC
                LIMIT 20
            ) AS latest), '[]')::text,
        coalesce((
            SELECT json_agg(json_build_object('dispute_id', dispute_id, 'amount_minor', amount_minor, 'currency', currency,
                'state', state, 'decision', decision) ORDER BY created_at, dispute_id)
            FROM (
                SELECT *
                FROM payment_disputes
                WHERE provider = the_payment.provider AND payment_id = the_payment.payment_id
                ORDER BY created_at DESC, dispute_id DESC
                LIMIT 20
            ) AS latest), '[]')::text
$$;
