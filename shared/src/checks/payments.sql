-- Looks for payments that disagree with their bookings, in a slice of all payments: those too that name no booking, or
-- one of a show that does not exist.
--
-- $1 page bigint: the first page of the table that is read; $2 pages bigint
--
-- Locks: none. One snapshot. The slice is some pages of the table, as they lie there: by the payments' key, which is whatever a
-- provider made up, each would be on another page. So their bookings are near each other too. They come by their own key: a
-- LATERAL with a LIMIT is asked for each payment, and no plan reads a table as a whole. A payment that is changed during a walk
-- may move to where the walk has been: the next one sees it.
-- Outcomes: one row at least: page, where the next slice begins (NULL: there are no more); then rule and detail of what is wrong
-- (NULL: nothing is), at most 100.
WITH slice AS MATERIALIZED (
    -- What of it is for the booking.
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
    SELECT 'paid_not_confirmed' AS rule, format('payment %s %s: it paid for booking %s-%s, which is %s',
        provider, payment_id, show_id, booking_id, coalesce(status, 'not there')) AS detail
    FROM paid
    WHERE status IS DISTINCT FROM 'CONFIRMED'
    UNION ALL
    SELECT 'paid_wrong_amount', format('payment %s %s: it confirmed booking %s-%s with %s %s instead of %s %s',
        provider, payment_id, show_id, booking_id, amount_minor, currency, price_minor, price_currency)
    FROM paid
    WHERE status IS NOT NULL AND (amount_minor, currency) IS DISTINCT FROM (price_minor, price_currency)
    UNION ALL
    -- The schema refuses this and the next; it may have been changed by hand.
    SELECT 'paid_twice', format('payment %s %s: it paid for booking %s-%s, and so did payment %s %s',
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
    SELECT 'success_not_decided', format('payment %s %s: it succeeded and is %s', provider, payment_id, state)
    FROM slice
    WHERE succeeded_at IS NOT NULL AND state NOT IN ('confirmed', 'refund_due', 'refunded', 'unclaimed')
)
SELECT
    CASE WHEN ($1 + $2) * current_setting('block_size')::bigint < pg_relation_size('payments') THEN $1 + $2 END AS page,
    worst.rule, worst.detail
FROM (VALUES (1)) AS always
LEFT JOIN (SELECT rule, detail FROM found ORDER BY rule, detail LIMIT 100) AS worst ON true
