-- Anonymises a page of a show's bookings, except those that are PENDING.
--
-- $1 show_id bigint; $2 id uuid: the page begins after it; $3 limit bigint: rows to read
--
-- Locks: those of the bookings that nobody else has locked, then their events. A locked booking is being changed or
-- refunded by another transaction. It is skipped, so that its buyer does not wait for a thousand rows, nor a thousand
-- rows for its buyer. There is no hurry.
-- Outcomes: one row: anonymised, the number of bookings; left, how many of the page still have a name; last, the page's
-- last id (NULL: there are no more).
WITH page AS MATERIALIZED (
    -- By the primary key and in any state, so that the size of a page is bounded however many bookings are anonymised
    -- already.
    SELECT id, anonymised_at IS NULL AS is_named
    FROM bookings
    WHERE show_id = $1 AND id > $2
    ORDER BY id
    LIMIT $3
), locked AS MATERIALIZED (
    SELECT bookings.id
    FROM page
    JOIN bookings ON bookings.show_id = $1 AND bookings.id = page.id
    WHERE page.is_named AND bookings.anonymised_at IS NULL AND bookings.status <> 'PENDING'
    FOR UPDATE OF bookings SKIP LOCKED
), done AS MATERIALIZED (
    -- The function has its own snapshot, which is younger than the locks.
    SELECT count(*) AS bookings, anonymise(array_agg($1), array_agg(id)) FROM locked
)
SELECT
    done.bookings AS anonymised,
    (SELECT count(*) FROM page WHERE is_named) - done.bookings AS left,
    (SELECT id FROM page ORDER BY id DESC LIMIT 1) AS last
FROM done
