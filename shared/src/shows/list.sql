-- Reads a page of the shows that have not started, with their free seats, by (start_time, id).
--
-- $1 start_time timestamptz and $2 id bigint: the page begins after them; $3 limit bigint
--
-- Locks: none.
-- Outcomes: at most $3 shows.
SELECT id, name, start_time, total_seats, max_seats_per_booking, max_pending_seats_per_holder, max_seats_per_holder, pools,
    price_minor, currency,
    (SELECT sum(free) FROM seat_pools WHERE show_id = shows.id) AS available_seats
FROM shows
WHERE (start_time, id) > ($1, $2) AND start_time > now()
ORDER BY start_time, id
LIMIT $3
