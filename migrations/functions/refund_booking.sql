-- Fails a confirmed booking whose money was refunded, and releases its seats to one pool. A booking in another state stays as it
-- is: the refund must not be refused because of it, and the check of the database reports it.
--
-- It releases the seats before it changes the booking. That change locks the row of a counted holder, and a pool is locked before
-- a holder's row.
--
-- Parameters: the_show, the_booking.
-- Locks: the booking, then one pool, then the holder's row (by a trigger).
-- Outcomes: none. It raises an exception if the show has no such pool, which would be a defect.
-- Called by: unconfirm_payment, superseded/apply_payment_event.
CREATE OR REPLACE FUNCTION refund_booking(the_show bigint, the_booking uuid) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    booking bookings;
    pool    integer;
BEGIN
    SELECT * INTO booking FROM bookings WHERE show_id = the_show AND id = the_booking FOR UPDATE;
    IF booking.status IS DISTINCT FROM 'CONFIRMED' THEN
        RETURN;
    END IF;
    -- Prefer a pool that nobody has locked: another transaction may keep its lock for long.
    SELECT seat_pools.pool_no INTO pool
    FROM shows JOIN seat_pools ON seat_pools.show_id = shows.id AND seat_pools.pool_no < shows.pools
    WHERE shows.id = the_show
    ORDER BY random()
    LIMIT 1
    FOR UPDATE OF seat_pools SKIP LOCKED;
    IF NOT FOUND THEN
        SELECT floor(random() * pools) INTO pool FROM shows WHERE id = the_show;
    END IF;
    UPDATE seat_pools SET free = free + booking.seats WHERE show_id = the_show AND pool_no = pool;
    IF NOT FOUND THEN
        RAISE 'the show % has no pool %', the_show, pool;
    END IF;
    UPDATE bookings SET status = 'FAILED', failure_reason = 'refunded', settled_at = clock_timestamp()
    WHERE show_id = the_show AND id = the_booking;
END
$$;
