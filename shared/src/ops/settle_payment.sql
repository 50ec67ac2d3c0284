-- Marks a refund that is due as given back.
--
-- $1 provider text, $2 payment_id text
--
-- Locks: the payment.
-- Outcomes: no row: no such payment. Else the payment as it is now, and changed: whether this call settled it.
WITH locked AS MATERIALIZED (
    SELECT * FROM payments WHERE provider = $1 AND payment_id = $2 FOR UPDATE
), settled AS (
    UPDATE payments
    SET state = 'refunded', refund_told_at = clock_timestamp(), updated_at = clock_timestamp()
    FROM locked
    WHERE payments.provider = locked.provider AND payments.payment_id = locked.payment_id
        AND locked.state = 'refund_due'
    RETURNING payments.*
)
SELECT provider, payment_id, show_id, booking_id, amount_minor, currency, state, reason, created_at, updated_at,
    true AS changed
FROM settled
UNION ALL
SELECT provider, payment_id, show_id, booking_id, amount_minor, currency, state, reason, created_at, updated_at, false
FROM locked
WHERE NOT EXISTS (SELECT FROM settled)
