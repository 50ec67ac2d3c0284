-- A booking without its lock, second half: it writes what follows from the seats that it saw, whatever is there now.
-- $1 show_id bigint, $2 id uuid, $3 integer: the free seats that it saw
WITH taken AS (
    UPDATE seat_pools SET free = $3 - 1 WHERE show_id = $1 AND pool_no = 0
)
INSERT INTO bookings (show_id, id, user_name, seats, status, created_at, expires_at)
VALUES ($1, $2, 'Ada', 1, 'PENDING', clock_timestamp(), clock_timestamp() + interval '2 minutes')
