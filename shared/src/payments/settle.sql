-- Marks all that is due of a payment as refunded.
--
-- $1 provider text, $2 payment_id text
--
-- Locks: the payment; see the function settle_payment in the migrations.
-- Outcomes: no row: no such payment. Otherwise the payment as it is now, with the columns of payment_report; changed:
-- whether this call settled it; settled: whether this call or an earlier one did.
SELECT
    (settled.payment).provider, (settled.payment).payment_id, (settled.payment).show_id, (settled.payment).booking_id,
    (settled.payment).amount_minor, (settled.payment).currency, (settled.payment).reason, (settled.payment).created_at,
    (settled.payment).updated_at, report.shown_state, report.refunded_minor, report.refund_due_minor, report.refunds,
    report.disputes, settled.changed,
    (settled.payment).state = 'refunded' OR (settled.payment).settled_at IS NOT NULL AS settled
FROM settle_payment($1, $2) AS settled
CROSS JOIN LATERAL payment_report(settled.payment) AS report
