-- Decides about a booking whose payment was lost in a dispute.
--
-- $1 provider text, $2 payment_id text, $3 decision text (keep or cancel)
--
-- Locks: the payments of the booking, the payment, its booking, one pool; see the function decide_dispute in the
-- migrations.
-- Outcomes: no row: no such payment. Otherwise the payment as it is now, with the columns of payment_report; decided:
-- the decision that stands (NULL: none), changed: whether this call made it.
SELECT (made.payment).provider, (made.payment).payment_id, (made.payment).show_id, (made.payment).booking_id,
    (made.payment).amount_minor, (made.payment).currency, (made.payment).reason, (made.payment).created_at,
    (made.payment).updated_at, report.shown_state, report.refunded_minor, report.refund_due_minor, report.refunds,
    report.disputes, made.decided, made.changed
FROM decide_dispute($1, $2, $3) AS made
CROSS JOIN LATERAL payment_report(made.payment) AS report
