-- The second half of a booking without its lock: sets the free seats to one less than book_read.sql returned, even if
-- they have changed since, and makes the booking.
--
-- $1 show_id bigint, $2 id uuid, $3 free integer: the free seats from book_read.sql
WITH taken AS (
    UPDATE seat_pools SET free = $3 - 1 WHERE show_id = $1 AND pool_no = 0
)
INSERT INTO bookings (show_id, id, user_name, seats, status, created_at, expires_at)
VALUES ($1, $2, 'Ada', 1, 'PENDING', clock_timestamp(), clock_timestamp() + interval '2 minutes')
