-- Reads a page of a subject's bookings.
--
-- $1 holder text: derived from the subject; $2 show_id bigint and $3 id uuid: the page begins after them; $4 limit
-- bigint
--
-- Locks: none.
-- Outcomes: at most $4 bookings, by (show_id, id), each with its idempotency_key as the client sent it.
WITH answer AS (
    -- A subject's key is stored with the holder and a space in front.
    SELECT *, substr(idempotency_key, char_length($1) + 2) AS sent_key
    FROM bookings
    WHERE holder = $1 AND starts_with(holder, 'sub:') AND (show_id, id) > ($2, $3)
    ORDER BY show_id, id
    LIMIT $4
)
SELECT sent_key AS idempotency_key,
