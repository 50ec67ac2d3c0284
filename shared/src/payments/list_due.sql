-- Reads a page of the payments whose money is still to be refunded, oldest first: those that bought nothing, and those
-- that confirmed a booking and of which a refund failed. Disputed payments are left out.
--
-- $1 created_at timestamptz, $2 provider text and $3 payment_id text: the page begins after them; $4 limit bigint
--
-- Locks: none.
-- Outcomes: at most $4 payments, each with the columns of payment_report.
SELECT payments.provider, payments.payment_id, payments.show_id, payments.booking_id, payments.amount_minor,
    payments.currency, payments.reason, payments.created_at, payments.updated_at, report.shown_state,
    report.refunded_minor, report.refund_due_minor, report.refunds, report.disputes
FROM (
    SELECT *
    FROM payments
    WHERE
        (state = 'refund_due' OR (state = 'confirmed' AND wanted_minor > returned_minor))
        AND NOT disputed
        AND (created_at, provider, payment_id) > ($1, $2, $3)
    ORDER BY created_at, provider, payment_id
    LIMIT $4
) AS payments
CROSS JOIN LATERAL payment_report(payments) AS report
ORDER BY payments.created_at, payments.provider, payments.payment_id
