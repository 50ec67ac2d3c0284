-- Marks a show whose bookings were all anonymised, so that they are not read again.
--
-- $1 show_id bigint
--
-- Locks: the show.
-- Outcomes: no row.
UPDATE shows SET anonymised_at = clock_timestamp() WHERE id = $1 AND anonymised_at IS NULL
