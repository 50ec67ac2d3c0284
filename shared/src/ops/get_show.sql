-- One show with its free seats.
--
-- $1 id bigint
--
-- Locks: none.
-- Outcomes: no row: no such show. Else the show.
SELECT shows.*, (SELECT sum(free) FROM seat_pools WHERE show_id = shows.id)::integer AS available_seats
FROM shows
WHERE id = $1
