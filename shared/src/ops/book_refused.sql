-- Says why a booking was not made: a read.
--
-- $1 show_id bigint, $2 id uuid, $3 seats integer, $4 idempotency_key text or NULL, $5 holder text, $6 max_pending_seats
-- integer, $7 max_seats integer, $8 max_unpaid_holds integer, $9 times integer, $10 hold double precision (seconds)
--
-- Locks: none.
-- Outcomes: no row: no such show. Else one row:
--   id not NULL        the booking that an earlier request with this id or key made
--   started, max_seats the show's state
--   max_pending, max_in_all, pending_seats, held_seats, wait: what the holder may have, what it has, and for how many
--                      seconds it must not book
--   available_seats    the show's free seats, all pools together
--   one_pool_has_them  a pool has the seats by itself: look again
SELECT
    earlier.show_id, earlier.id, earlier.user_name, earlier.seats, earlier.status, earlier.failure_reason,
    earlier.created_at, earlier.expires_at, earlier.settled_at, earlier.amount_minor, earlier.currency,
    shows.start_time <= clock_timestamp() AS started,
    shows.max_seats_per_booking AS max_seats,
    coalesce(shows.max_pending_seats_per_holder, $6) * $9 AS max_pending,
    most_seats(shows.total_seats, shows.max_seats_per_holder, $7, $9) AS max_in_all,
    standing.pending_seats,
    standing.seats AS held_seats,
    standing.wait,
    pools.available_seats,
    pools.fullest >= $3 AS one_pool_has_them
FROM shows
CROSS JOIN LATERAL (
    SELECT coalesce(sum(free), 0) AS available_seats, coalesce(max(free), 0) AS fullest
    FROM seat_pools
    WHERE show_id = shows.id
) AS pools
CROSS JOIN LATERAL holder_standing(shows.id, $5, $8 * $9, $10) AS standing
LEFT JOIN LATERAL (
    SELECT * FROM bookings WHERE show_id = shows.id AND id = $2
    UNION ALL
    SELECT * FROM bookings WHERE show_id = shows.id AND idempotency_key = $4
    LIMIT 1
) AS earlier ON true
WHERE shows.id = $1
