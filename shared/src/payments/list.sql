-- Reads a page of the payments in one state, oldest first. Disputed payments are in no other state.
--
-- $1 state text (not refund_due or disputed, which have list_due.sql and list_disputed.sql); $2 created_at timestamptz,
-- $3 provider text and $4 payment_id text: the page begins after them; $5 limit bigint
--
-- Locks: none.
-- Outcomes: at most $5 payments, each with the columns of payment_report.
SELECT payments.provider, payments.payment_id, payments.show_id, payments.booking_id, payments.amount_minor,
    payments.currency, payments.reason, payments.created_at, payments.updated_at, report.shown_state,
    report.refunded_minor, report.refund_due_minor, report.refunds, report.disputes
FROM (
    SELECT *
    FROM payments
    WHERE state = $1 AND NOT disputed AND (created_at, provider, payment_id) > ($2, $3, $4)
    ORDER BY created_at, provider, payment_id
    LIMIT $5
) AS payments
CROSS JOIN LATERAL payment_report(payments) AS report
ORDER BY payments.created_at, payments.provider, payments.payment_id
