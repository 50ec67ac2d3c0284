-- (The end of every statement that returns bookings. The statement provides them in a CTE `answer`. These are the
-- columns that Booking::from_row reads.)
    show_id, id, user_name, seats, status, failure_reason, created_at, expires_at, settled_at, amount_minor, currency
FROM answer
