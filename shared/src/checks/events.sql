-- Finds success events that never had an effect, in a slice of all events, including those that name no booking.
--
-- $1 page bigint: the first page of the table to read; $2 pages bigint
--
-- Locks: none. One snapshot. The slice is a range of table pages, as in payments.sql. Each event's payment is found by
-- the event's booking if the payment names the same booking: neighbouring events are about bookings made at the same
-- time, while the payments' own key would read another index page for each event. Otherwise the payment is found by its
-- own key.
-- Outcomes: at least one row: page, where the next slice begins (NULL: there are no more); then rule and detail of each
-- violation (NULL: there is none), at most 100.
WITH slice AS MATERIALIZED (
    -- An event that names no payment is stored, but there is nothing to decide.
    SELECT provider, event_id, payment_id, show_id, booking_id
    FROM payment_events
    WHERE ctid >= format('(%s,0)', $1)::tid AND ctid < format('(%s,0)', $1 + $2)::tid
        AND change = 'succeeded' AND payment_id IS NOT NULL
), found AS (
    SELECT 'success_not_decided' AS rule, format('event %s %s: reports a success, but payment %s is %s',
        slice.provider, slice.event_id, slice.payment_id, coalesce(payment.state, 'missing')) AS detail
    FROM slice
    LEFT JOIN LATERAL (
        SELECT state, succeeded_at
        FROM (
            -- OFFSET 0 keeps the planner from using the payments' own key here.
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
