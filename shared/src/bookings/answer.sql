-- (The end of every statement that answers with bookings, which has them in a CTE `answer`: the columns that Booking::from_row
-- reads.)
    show_id, id, user_name, seats, status, failure_reason, created_at, expires_at, settled_at, amount_minor, currency
FROM answer
