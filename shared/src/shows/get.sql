-- Reads one show with its free seats.
--
-- $1 id bigint
--
-- Locks: none.
-- Outcomes: no row: no such show. Otherwise the show.
SELECT id, name, start_time, total_seats, max_seats_per_booking, max_pending_seats_per_holder, max_seats_per_holder, pools,
    price_minor, currency,
    (SELECT sum(free) FROM seat_pools WHERE show_id = shows.id) AS available_seats
FROM shows
WHERE id = $1
