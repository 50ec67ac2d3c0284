-- One booking.
--
-- $1 show_id bigint, $2 id uuid
--
-- Locks: none.
-- Outcomes: no row: no such booking. Else the booking.
SELECT show_id, id, user_name, seats, status, failure_reason, created_at, expires_at, settled_at,
    amount_minor, currency
FROM bookings
WHERE show_id = $1 AND id = $2
