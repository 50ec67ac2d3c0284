-- Reads the payments of some bookings.
--
-- $1 show_id bigint[], $2 id uuid[]: the bookings; $3 limit bigint: payments of one booking
--
-- Locks: none.
-- Outcomes: at most $3 payments of each booking, latest first, in the order of the bookings; of_booking, the booking's
-- position, from 1.
SELECT payments.provider, payments.payment_id, payments.show_id, payments.booking_id, payments.amount_minor,
    payments.currency, payments.reason, payments.created_at, payments.updated_at, report.shown_state, report.refunded_minor,
    report.refund_due_minor, report.refunds, report.disputes, page.of_booking
FROM unnest($1, $2) WITH ORDINALITY AS page (show_id, id, of_booking)
CROSS JOIN LATERAL (
    SELECT *
    FROM payments
    WHERE payments.show_id = page.show_id AND payments.booking_id = page.id
    ORDER BY created_at DESC, provider, payment_id
    LIMIT $3
) AS payments
CROSS JOIN LATERAL payment_report(payments) AS report
ORDER BY page.of_booking, payments.created_at DESC, payments.provider, payments.payment_id
