-- Finds payments that disagree with their bookings, in a slice of all payments, including those that name no booking,
-- or one of a show that does not exist.
--
-- $1 page bigint: the first page of the table to read; $2 pages bigint
--
-- Locks: none. One snapshot. The slice is a range of table pages, in physical order. The payments' key is any text that
-- a provider chose, so in its order each payment would be on another page; in physical order, the bookings of
-- neighbouring payments are near each other too. Bookings are found by their own key: a LATERAL with a LIMIT runs once
-- for each payment, so no plan reads a whole table. A payment that is changed during a walk may move to a page that was
-- already read; the next walk sees it.
-- Outcomes: at least one row: page, where the next slice begins (NULL: there are no more); then rule and detail of each
-- violation (NULL: there is none), at most 100.
WITH slice AS MATERIALIZED (
    -- The amount here is the part of the payment that is for the booking.
    SELECT provider, payment_id, show_id, booking_id, state, coalesce(price_minor, amount_minor) AS amount_minor,
        coalesce(price_currency, currency) AS currency, succeeded_at
    FROM payments
    WHERE ctid >= format('(%s,0)', $1)::tid AND ctid < format('(%s,0)', $1 + $2)::tid
), paid AS (
    SELECT slice.*, booking.status, booking.amount_minor AS price_minor, booking.currency AS price_currency
    FROM slice
    LEFT JOIN LATERAL (
        SELECT status, amount_minor, currency
        FROM bookings
        WHERE bookings.show_id = slice.show_id AND bookings.id = slice.booking_id
        LIMIT 1
    ) AS booking ON true
    WHERE slice.state = 'confirmed'
), found AS (
    SELECT 'paid_not_confirmed' AS rule, format('payment %s %s: confirmed, but its booking %s-%s is %s',
        provider, payment_id, show_id, booking_id, coalesce(status, 'missing')) AS detail
    FROM paid
    WHERE status IS DISTINCT FROM 'CONFIRMED'
    UNION ALL
    SELECT 'paid_wrong_amount', format('payment %s %s: confirmed booking %s-%s with %s %s, expected %s %s',
        provider, payment_id, show_id, booking_id, amount_minor, currency, price_minor, price_currency)
    FROM paid
    WHERE status IS NOT NULL AND (amount_minor, currency) IS DISTINCT FROM (price_minor, price_currency)
    UNION ALL
    -- The schema rejects this and the next violation, but may have been changed by hand.
    SELECT 'paid_twice', format('payment %s %s: paid for booking %s-%s, and so did payment %s %s',
        paid.provider, paid.payment_id, paid.show_id, paid.booking_id, other.provider, other.payment_id)
    FROM paid
    CROSS JOIN LATERAL (
        SELECT provider, payment_id
        FROM payments
        WHERE payments.show_id = paid.show_id AND payments.booking_id = paid.booking_id
            AND payments.state = 'confirmed' AND (payments.provider, payments.payment_id) < (paid.provider, paid.payment_id)
        LIMIT 1
    ) AS other
    UNION ALL
    SELECT 'success_not_decided', format('payment %s %s: succeeded, but its state is %s', provider, payment_id, state)
    FROM slice
    WHERE succeeded_at IS NOT NULL AND state NOT IN ('confirmed', 'refund_due', 'refunded', 'unclaimed')
)
SELECT
    CASE WHEN ($1 + $2) * current_setting('block_size')::bigint < pg_relation_size('payments') THEN $1 + $2 END AS page,
    worst.rule, worst.detail
FROM (VALUES (1)) AS always
LEFT JOIN (SELECT rule, detail FROM found ORDER BY rule, detail LIMIT 100) AS worst ON true
