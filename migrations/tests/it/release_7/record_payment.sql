-- Records an event of a payment provider and does what follows from it, once.
--
-- $1 provider text, $2 event_id text, $3 type text, $4 payment_id text or NULL,
-- $5 show_id bigint and $6 booking_id uuid, or both NULL, $7 occurred_at timestamptz,
-- $8 change text, $9 amount_minor bigint and $10 currency text, or both NULL, $11 payload text
--
-- Locks: the event's key, then the payment, then its booking, then pools of its show; see the function record_payment
-- of the sixth migration, which decides.
-- Outcomes: one row: outcome (repeated, confirmed, refund_due, refunded or kept), reason (of a refund that is due).
SELECT outcome, reason FROM record_payment($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
