-- Sets what one holder may have of a show. get.sql follows in the same transaction.
--
-- $1 show_id bigint, $2 sets_pending boolean, $3 max_pending_seats_per_holder integer or NULL, $4 sets_in_all boolean,
-- $5 max_seats_per_holder integer or NULL: what is not set stays; NULL is the deployment's own limit
--
-- Locks: the show's row, which bookings do not lock: those that are under way may still go by the limits before.
-- Outcomes: none; without such a show, nothing happens.
UPDATE shows
SET max_pending_seats_per_holder = CASE WHEN $2 THEN $3 ELSE max_pending_seats_per_holder END,
    max_seats_per_holder = CASE WHEN $4 THEN $5 ELSE max_seats_per_holder END
WHERE id = $1
