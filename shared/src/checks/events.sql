-- Looks for successes that were told of and never had an effect, in a slice of all events: those too that name no
-- booking.
--
-- $1 page bigint: the first page of the table that is read; $2 pages bigint
--
-- Locks: none. One snapshot. The slice is some pages of the table, as in payments.sql. Each event's payment comes by the
-- booking that the event names, if it is the payment's too: events that lie together tell of bookings that were made together,
-- where the payments' own key would read another page of its index for each. Else it comes by that key.
-- Outcomes: one row at least: page, where the next slice begins (NULL: there are no more); then rule and detail of what is wrong
-- (NULL: nothing is), at most 100.
WITH slice AS MATERIALIZED (
    -- One that names no payment is kept, and there is nothing that could be decided.
    SELECT provider, event_id, payment_id, show_id, booking_id
    FROM payment_events
    WHERE ctid >= format('(%s,0)', $1)::tid AND ctid < format('(%s,0)', $1 + $2)::tid
        AND change = 'succeeded' AND payment_id IS NOT NULL
), found AS (
    SELECT 'success_not_decided' AS rule, format('event %s %s: it tells of a success, and the payment %s is %s',
        slice.provider, slice.event_id, slice.payment_id, coalesce(payment.state, 'not there')) AS detail
    FROM slice
    LEFT JOIN LATERAL (
        SELECT state, succeeded_at
        FROM (
            -- OFFSET 0 keeps the payment's own key out of it.
            SELECT provider, payment_id, state, succeeded_at
            FROM payments
            WHERE payments.show_id = slice.show_id AND payments.booking_id = slice.booking_id
            OFFSET 0
        ) AS of_booking
        WHERE of_booking.provider = slice.provider AND of_booking.payment_id = slice.payment_id
        UNION ALL
        SELECT state, succeeded_at
        FROM payments
        WHERE payments.provider = slice.provider AND payments.payment_id = slice.payment_id
        LIMIT 1
    ) AS payment ON true
    WHERE payment.succeeded_at IS NULL
)
SELECT
    CASE WHEN ($1 + $2) * current_setting('block_size')::bigint < pg_relation_size('payment_events') THEN $1 + $2 END AS page,
    worst.rule, worst.detail
FROM (VALUES (1)) AS always
LEFT JOIN (SELECT rule, detail FROM found ORDER BY rule, detail LIMIT 100) AS worst ON true
