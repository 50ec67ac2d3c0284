-- How many seats of a show one holder may have in all: the show's own limit, or else the deployment's, multiplied for a holder
-- that counts for several.
--
-- The deployment's limit is never more than half of the house, rounded up: no holder takes every seat of a show that has more than
-- one. The show's own limit may be higher, and 1,000,000 means no limit.
--
-- One expression, so that the planner inlines it.
--
-- Parameters: total_seats; of_show: the show's limit or NULL; of_deployment: the deployment's limit; times: how many holders this
-- one counts for.
-- Locks: none.
-- Outcomes: the number of seats.
-- Called by: pay_booking; the statements that book, and the one that says why a booking was refused.
CREATE OR REPLACE FUNCTION most_seats(total_seats integer, of_show integer, of_deployment integer, times integer) RETURNS integer
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE
        WHEN of_show IS NOT NULL OR of_deployment >= 1000000 THEN coalesce(of_show, of_deployment) * times
        ELSE least(of_deployment * times, (total_seats + 1) / 2)
    END
$$;
