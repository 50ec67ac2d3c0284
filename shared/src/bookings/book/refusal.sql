-- Explains why a booking was not made. Read only.
--
-- $1 to $11: as in own_pool.sql
--
-- Locks: none.
-- Outcomes: no row: the show does not exist. Otherwise one row:
--   id                 not NULL: the booking that an earlier request with this id or key made
--   started, max_seats the show's state
--   max_pending, max_in_all, pending_seats, held_seats, wait: the holder's limits, the seats that it has, and for how
--                      many seconds it must not book
--   available_seats    the show's free seats, all pools together
--   one_pool_has_them  one pool has enough seats by itself: search again
WITH answer AS (
    SELECT
        earlier.*,
        shows.start_time <= clock_timestamp() AS started,
        shows.max_seats_per_booking AS max_seats,
        coalesce(shows.max_pending_seats_per_holder, $8) * $11 AS max_pending,
        most_seats(shows.total_seats, shows.max_seats_per_holder, $9, $11) AS max_in_all,
        standing.pending_seats,
        standing.seats AS held_seats,
        standing.wait,
        pools.available_seats,
        pools.fullest >= $4 AS one_pool_has_them
    FROM shows
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(free), 0) AS available_seats, coalesce(max(free), 0) AS fullest
        FROM seat_pools
        WHERE show_id = shows.id
    ) AS pools
    CROSS JOIN LATERAL holder_standing(shows.id, $7, $10 * $11, $5) AS standing
    LEFT JOIN LATERAL (
        SELECT * FROM bookings WHERE show_id = shows.id AND id = $2
        UNION ALL
        SELECT * FROM bookings WHERE show_id = shows.id AND idempotency_key = $6
        LIMIT 1
    ) AS earlier ON true
    WHERE shows.id = $1
)
SELECT
    started, max_seats, max_pending, max_in_all, pending_seats, held_seats, wait, available_seats, one_pool_has_them,
