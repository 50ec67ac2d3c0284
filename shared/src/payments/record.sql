-- Records an event of a payment provider and applies it, once.
--
-- $1 provider text, $2 event_id text, $3 type text, $4 payment_id text or NULL,
-- $5 show_id bigint and $6 booking_id uuid, or both NULL, $7 occurred_at timestamptz,
-- $8 change text, $9 amount_minor bigint and $10 currency text, or both NULL,
-- $11 about_id text and $12 about_state text (of a refund or dispute), or both NULL,
-- $13 max_seats integer (how many seats a holder may have in total, unless the show has its own limit),
-- $14 address_allowance integer and $15 partner_allowance integer (how many holders an address or an API key counts as),
-- $16 prices bigint[] and $17 prices_currency text (of a success: the candidate amounts for the booking),
-- or both NULL: the whole amount is for the booking,
-- $18 payload text
--
-- Locks: for a success after the hold expired, the holder of the show; then the payments of the booking, the payment,
-- its booking, pools of its show; see the function record_payment_event in the migrations, which decides.
-- Outcomes: one row: outcome (repeated, confirmed, refund_due, refunded, unclaimed, disputed or kept), reason (why a
-- refund is due).
SELECT outcome, reason
FROM record_payment_event($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $18, $13, $14, $15, $16, $17)
