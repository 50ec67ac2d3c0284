-- Finds counted holders whose sums differ from their bookings, in a slice of the holders.
--
-- $1 show_id bigint, $2 holder text: the slice begins after this holder; $3 limit bigint: holders
--
-- Locks: none. One snapshot. The slice is read by the primary key; the live bookings of its counted holders are read by
-- bookings_live. A holder is counted when it has more than 32. If 200 holders have 10,000 each, that takes 0.5 s.
-- Outcomes: at least one row: show_id and holder, the last holder checked (NULL: there are no more); then rule and
-- detail of each violation (NULL: there is none), at most 100. The detail does not name the holder.
WITH slice AS MATERIALIZED (
    SELECT show_id, holder, is_counted, pending_seats, seats
    FROM holders
    WHERE (show_id, holder) > ($1, $2)
    ORDER BY show_id, holder
    LIMIT $3
), last AS (
    SELECT show_id, holder FROM slice ORDER BY show_id, holder OFFSET $3 - 1
), found AS (
    SELECT 'holder_count' AS rule,
        format('show %s: a holder is counted with %s seats (%s pending), expected %s (%s)', slice.show_id, slice.seats,
            slice.pending_seats, has.seats, has.pending_seats) AS detail
    FROM slice
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(seats), 0) AS seats, coalesce(sum(seats) FILTER (WHERE status = 'PENDING'), 0) AS pending_seats
        FROM bookings
        WHERE bookings.show_id = slice.show_id AND bookings.holder = slice.holder AND status <> 'FAILED'
    ) AS has
    WHERE slice.is_counted AND (slice.seats, slice.pending_seats) <> (has.seats, has.pending_seats)
)
SELECT last.show_id, last.holder, worst.rule, worst.detail
FROM (VALUES (1)) AS always
LEFT JOIN last ON true
LEFT JOIN (SELECT rule, detail FROM found ORDER BY rule, detail LIMIT 100) AS worst ON true
