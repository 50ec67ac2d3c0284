-- Starts to count a holder of a show: stores the sums of its live bookings in holders. From then on triggers keep the sums.
--
-- Parameters: the_show, the_holder.
-- Locks: the holder of the show, so that no booking is added. Its live bookings by id, shared, so that none is released or
-- confirmed between the sums and the new row. Then the row of holders.
-- Outcomes: none.
-- Called by: has_room.
CREATE OR REPLACE FUNCTION count_holder(the_show bigint, the_holder text) RETURNS void LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM lock_holder(the_show, the_holder);
    PERFORM FROM bookings
    WHERE show_id = the_show AND holder = the_holder AND status <> 'FAILED'
    ORDER BY id
    FOR SHARE;
    -- A separate statement, so that its snapshot is newer than the locks.
    INSERT INTO holders AS known (show_id, holder, is_counted, pending_seats, seats)
    SELECT the_show, the_holder, true, coalesce(sum(seats) FILTER (WHERE status = 'PENDING'), 0), coalesce(sum(seats), 0)
    FROM bookings
    WHERE show_id = the_show AND holder = the_holder AND status <> 'FAILED'
    ON CONFLICT (show_id, holder) DO UPDATE
    SET is_counted = true, pending_seats = EXCLUDED.pending_seats, seats = EXCLUDED.seats
    WHERE NOT known.is_counted;
END
$$;
