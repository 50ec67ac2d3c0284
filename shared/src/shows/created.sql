-- Reads the show that a request with this key created.
--
-- $1 creation_key bytea, $2 creation_request bytea
--
-- Locks: none.
-- Outcomes: no row: no request with this key created a show. Otherwise the show, and same_request: whether that request
-- was the same as this one.
SELECT id, name, start_time, total_seats, max_seats_per_booking, max_pending_seats_per_holder, max_seats_per_holder, pools,
    price_minor, currency,
    (SELECT sum(free) FROM seat_pools WHERE show_id = shows.id) AS available_seats,
    creation_request = $2 AS same_request
FROM shows
WHERE creation_key = $1
