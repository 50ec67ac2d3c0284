-- Whether a holder that already has bookings of a show, or has left holds unpaid, may have this many more seats. The caller has
-- the lock of lock_holder.
--
-- Parameters: as in admit.
-- Locks: none. The first time that a holder is found with more than 32 live bookings: as count_holder.
-- Outcomes: true or false.
-- Called by: admit.
CREATE OR REPLACE FUNCTION has_room(
    the_show bigint, the_holder text, wanted integer, max_pending bigint, max_in_all bigint, allowed integer,
    hold_seconds double precision
) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    known holders;
    few   record;
BEGIN
    SELECT * INTO known FROM holders WHERE show_id = the_show AND holder = the_holder;
    IF holder_wait(known.unpaid_s, known.unpaid_at, known.waits_from, allowed, hold_seconds) > 0 THEN
        RETURN false;
    END IF;
    IF known.is_counted IS NOT TRUE THEN
        SELECT count(*) AS bookings,
            coalesce(sum(live.seats) FILTER (WHERE live.status = 'PENDING'), 0) AS pending_seats,
            coalesce(sum(live.seats), 0) AS seats
        INTO few
        FROM (
            SELECT seats, status
            FROM bookings
            WHERE show_id = the_show AND holder = the_holder AND status <> 'FAILED'
            -- The order of the index bookings_live, so that the planner reads it and not the table.
            ORDER BY status, expires_at
            LIMIT 33
        ) AS live;
        IF few.bookings <= 32 THEN
            known.pending_seats := few.pending_seats;
            known.seats := few.seats;
        ELSE
            PERFORM count_holder(the_show, the_holder);
            SELECT * INTO known FROM holders WHERE show_id = the_show AND holder = the_holder;
        END IF;
    END IF;
    IF known.pending_seats + wanted <= max_pending AND known.seats + wanted <= max_in_all THEN
        RETURN true;
    END IF;
    -- The sums may contain holds whose time is over. They are subtracted only where that decides.
    RETURN (
        SELECT pending_seats + wanted <= max_pending AND seats + wanted <= max_in_all
        FROM holder_standing(the_show, the_holder, allowed, hold_seconds));
END
$$;
