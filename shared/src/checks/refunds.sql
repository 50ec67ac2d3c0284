-- Finds refunded bookings without a refunded payment, in a slice of the refunded bookings.
--
-- $1 show_id bigint, $2 id uuid: the slice begins after this booking; $3 limit bigint: bookings
--
-- Locks: none. One snapshot. The slice is read by bookings_refunded, the payments by payments_by_booking: a LATERAL
-- with a LIMIT runs once for each booking, so no plan reads a whole table.
-- Outcomes: at least one row: show_id and id, the last booking checked (NULL: there are no more); then rule and detail
-- of each violation (NULL: there is none), at most 100.
WITH slice AS MATERIALIZED (
    SELECT show_id, id
    FROM bookings
    WHERE failure_reason = 'refunded' AND (show_id, id) > ($1, $2)
    ORDER BY show_id, id
    LIMIT $3
), last AS (
    SELECT show_id, id FROM slice ORDER BY show_id, id OFFSET $3 - 1
), found AS (
    SELECT 'refunded_without_refund' AS rule,
        format('booking %s-%s: refunded, but none of its payments is', slice.show_id, slice.id) AS detail
    FROM slice
    LEFT JOIN LATERAL (
        SELECT true AS is_there
        FROM payments
        WHERE payments.show_id = slice.show_id AND payments.booking_id = slice.id
            AND (payments.state = 'refunded' OR payments.reason IN ('refund_failed', 'dispute_lost'))
        LIMIT 1
    ) AS refund ON true
    WHERE refund.is_there IS NULL
)
SELECT last.show_id, last.id, worst.rule, worst.detail
FROM (VALUES (1)) AS always
LEFT JOIN last ON true
LEFT JOIN (SELECT rule, detail FROM found ORDER BY rule, detail LIMIT 100) AS worst ON true
