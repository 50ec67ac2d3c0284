-- Looks for what must never be, in a few shows: seats that do not add up, and payments and bookings that disagree.
--
-- $1 show_id bigint: the first show is the next after it; $2 limit bigint: shows
--
-- Locks: none. One statement, so one snapshot: it may run while others book and pay, and sees each of their transactions
-- wholly or not at all.
-- Outcomes: one row at least: last, the last show that was looked at (NULL: there was none); then rule and detail of
-- what is wrong (NULL: nothing is), at most 100.
WITH slice AS MATERIALIZED (
    SELECT id, total_seats FROM shows WHERE id > $1 ORDER BY id LIMIT $2
), paid AS MATERIALIZED (
    SELECT payments.*
    FROM payments
    JOIN slice ON slice.id = payments.show_id
), found AS (
    SELECT 'seats' AS rule, format('show %s: %s free + %s held = %s, and not its %s seats',
        slice.id, unsold.seats, held.seats, unsold.seats + held.seats, slice.total_seats) AS detail
    FROM slice
    CROSS JOIN LATERAL (SELECT coalesce(sum(free), 0) AS seats FROM seat_pools WHERE show_id = slice.id) AS unsold
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(seats), 0) AS seats
        FROM bookings
        WHERE show_id = slice.id AND status IN ('PENDING', 'CONFIRMED')
    ) AS held
    WHERE unsold.seats + held.seats <> slice.total_seats
    UNION ALL
    SELECT 'paid_not_confirmed', format('payment %s %s: it paid for booking %s-%s, which is %s',
        provider, payment_id, paid.show_id, booking_id, coalesce(bookings.status, 'not there'))
    FROM paid
    LEFT JOIN bookings ON bookings.show_id = paid.show_id AND bookings.id = paid.booking_id
    WHERE paid.state = 'confirmed' AND bookings.status IS DISTINCT FROM 'CONFIRMED'
    UNION ALL
    SELECT 'paid_wrong_amount', format('payment %s %s: it confirmed booking %s-%s with %s %s instead of %s %s',
        provider, payment_id, paid.show_id, booking_id, paid.amount_minor, paid.currency,
        bookings.amount_minor, bookings.currency)
    FROM paid
    JOIN bookings ON bookings.show_id = paid.show_id AND bookings.id = paid.booking_id
    WHERE paid.state = 'confirmed'
        AND (paid.amount_minor, paid.currency) IS DISTINCT FROM (bookings.amount_minor, bookings.currency)
    UNION ALL
    -- The schema refuses this and the next two; it may have been changed by hand.
    SELECT 'paid_twice', format('booking %s-%s: it has %s confirmed payments', show_id, booking_id, count(*))
    FROM paid
    WHERE state = 'confirmed'
    GROUP BY show_id, booking_id
    HAVING count(*) > 1
    UNION ALL
    SELECT 'success_not_decided', format('payment %s %s: it succeeded and is %s', provider, payment_id, state)
    FROM paid
    WHERE succeeded_at IS NOT NULL AND state NOT IN ('confirmed', 'refund_due', 'refunded')
    UNION ALL
    SELECT 'success_not_decided', format('event %s %s: it tells of a success, and the payment %s is %s',
        events.provider, events.event_id, events.payment_id, coalesce(payments.state, 'not there'))
    FROM slice
    JOIN payment_events AS events ON events.show_id = slice.id AND events.change = 'succeeded'
    LEFT JOIN payments USING (provider, payment_id)
    WHERE events.payment_id IS NOT NULL AND payments.succeeded_at IS NULL
    UNION ALL
    SELECT 'refunded_without_refund', format('booking %s-%s: it is refunded, and no payment of it is', show_id, bookings.id)
    FROM slice
    JOIN bookings ON bookings.show_id = slice.id AND bookings.failure_reason = 'refunded'
    WHERE NOT EXISTS (
        SELECT FROM paid
        WHERE paid.show_id = bookings.show_id AND paid.booking_id = bookings.id
            AND (paid.state = 'refunded' OR paid.reason = 'refund_failed'))
)
SELECT (SELECT max(id) FROM slice) AS last, worst.rule, worst.detail
FROM (VALUES (1)) AS always
LEFT JOIN (SELECT rule, detail FROM found ORDER BY rule, detail LIMIT 100) AS worst ON true
