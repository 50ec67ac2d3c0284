-- The seats that a holder has of a show, held and sold. A hold whose time is over does not count. While the caller has the lock of
-- lock_holder, the number can only fall, by a release.
--
-- Parameters: the_show, the_holder.
-- Locks: none; reads as holder_standing.
-- Outcomes: the number of seats.
-- Called by: pay_booking.
CREATE OR REPLACE FUNCTION holder_seats(the_show bigint, the_holder text) RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT seats FROM holder_standing(the_show, the_holder, 0, 1)
$$;
