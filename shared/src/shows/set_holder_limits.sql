-- Sets how many seats of a show one holder may have. get.sql follows in the same transaction.
--
-- $1 show_id bigint, $2 sets_pending boolean, $3 max_pending_seats_per_holder integer or NULL, $4 sets_in_all boolean,
-- $5 max_seats_per_holder integer or NULL. A limit that is not set stays as it is; NULL is the deployment's limit.
--
-- Locks: the show's row. Bookings do not lock it, so those in progress may still use the old limits.
-- Outcomes: none. Without such a show, nothing happens.
UPDATE shows
SET max_pending_seats_per_holder = CASE WHEN $2 THEN $3 ELSE max_pending_seats_per_holder END,
    max_seats_per_holder = CASE WHEN $4 THEN $5 ELSE max_seats_per_holder END
WHERE id = $1
