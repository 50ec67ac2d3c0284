-- Reads one booking.
--
-- $1 show_id bigint, $2 id uuid, $3 holder text: derived from the subject of the caller's token, or NULL; $4 operator
-- boolean
--
-- Locks: none.
-- Outcomes: no row: no such booking, or it belongs to another subject and $4 is false. Otherwise the booking.
WITH answer AS (
    SELECT *
    FROM bookings
    WHERE show_id = $1 AND id = $2
        AND ($4 OR (anonymised_at IS NULL AND (holder IS NULL OR NOT starts_with(holder, 'sub:') OR holder = $3)))
)
SELECT
