-- A page of the payments in one state, the oldest first.
--
-- $1 state text, $2 created_at timestamptz, $3 provider text and $4 payment_id text: the page begins after them;
-- $5 limit bigint
--
-- Locks: none.
-- Outcomes: at most $5 payments.
SELECT provider, payment_id, show_id, booking_id, amount_minor, currency, state, reason, created_at, updated_at
FROM payments
WHERE state = $1 AND (created_at, provider, payment_id) > ($2, $3, $4)
ORDER BY created_at, provider, payment_id
LIMIT $5
