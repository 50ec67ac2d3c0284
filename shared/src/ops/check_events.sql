-- Looks for successes that were told of and never had an effect, in a slice of all events: those too that name no
-- booking.
--
-- $1 provider text, $2 event_id text: the slice begins after this event; $3 limit bigint: events
--
-- Locks: none. One snapshot. The slice comes by the primary key, and each event's payment by its own: a LATERAL with a
-- LIMIT is asked for each event, and no plan reads a table as a whole.
-- Outcomes: one row at least: provider and event_id, the last event that was looked at (NULL: there are no more); then
-- rule and detail of what is wrong (NULL: nothing is), at most 100.
WITH slice AS MATERIALIZED (
    SELECT provider, event_id, payment_id, change
    FROM payment_events
    WHERE (provider, event_id) > ($1, $2)
    ORDER BY provider, event_id
    LIMIT $3
), last AS (
    SELECT provider, event_id FROM slice ORDER BY provider, event_id OFFSET $3 - 1
), found AS (
    SELECT 'success_not_decided' AS rule, format('event %s %s: it tells of a success, and the payment %s is %s',
        slice.provider, slice.event_id, slice.payment_id, coalesce(payment.state, 'not there')) AS detail
    FROM slice
    LEFT JOIN LATERAL (
        SELECT state, succeeded_at
        FROM payments
        WHERE payments.provider = slice.provider AND payments.payment_id = slice.payment_id
        LIMIT 1
    ) AS payment ON true
    -- One that names no payment is kept, and there is nothing that could be decided.
    WHERE slice.change = 'succeeded' AND slice.payment_id IS NOT NULL AND payment.succeeded_at IS NULL
)
SELECT last.provider, last.event_id, worst.rule, worst.detail
FROM (VALUES (1)) AS always
LEFT JOIN last ON true
LEFT JOIN (SELECT rule, detail FROM found ORDER BY rule, detail LIMIT 100) AS worst ON true
