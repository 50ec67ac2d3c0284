-- Takes seats for a booking whose own seats were released, if the show still has enough free seats.
--
-- Parameters: the_show; wanted: the number of seats.
-- Locks: one pool, if possible one that nobody has locked. Only if no single pool has the seats: all pools of the show, by pool_no.
-- Outcomes: true: taken. false: the show has fewer free seats, and nothing changed. It raises an exception if it took another
-- number of seats than `wanted`, which would be a defect.
-- Called by: pay_booking, superseded/pay_booking.
CREATE OR REPLACE FUNCTION take_seats(the_show bigint, wanted integer) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    pool  integer;
    taken bigint;
BEGIN
    SELECT pool_no INTO pool
    FROM seat_pools
    WHERE show_id = the_show AND free >= wanted
    ORDER BY random()
    LIMIT 1
    FOR UPDATE SKIP LOCKED;
    IF FOUND THEN
        UPDATE seat_pools SET free = free - wanted WHERE show_id = the_show AND pool_no = pool;
        RETURN true;
    END IF;
    SELECT pool_no INTO pool FROM seat_pools WHERE show_id = the_show AND free >= wanted ORDER BY random() LIMIT 1;
    IF FOUND THEN
        BEGIN
            UPDATE seat_pools SET free = free - wanted WHERE show_id = the_show AND pool_no = pool AND free >= wanted;
            IF FOUND THEN
                RETURN true;
            END IF;
            -- The pool lost its seats while we waited for its lock, which we now hold. Rolling back this block releases
            -- that lock. If we kept it, locking all pools below would be out of order.
            RAISE SQLSTATE 'BXDRY';
        EXCEPTION WHEN SQLSTATE 'BXDRY' THEN
            NULL;
        END;
    END IF;
    -- Most late payments are for a show that is sold out. A read is enough to refuse them.
    IF (SELECT sum(free) FROM seat_pools WHERE show_id = the_show) < wanted THEN
        RETURN false;
    END IF;
    PERFORM FROM seat_pools WHERE show_id = the_show ORDER BY pool_no FOR UPDATE;
    -- As in the statement that books across all pools: the fullest pool first. seats_before: free seats of the pools before it.
    WITH counted AS MATERIALIZED (
        SELECT pool_no, free, sum(free) OVER fullest - free AS seats_before, sum(free) OVER () AS seats_in_all
        FROM seat_pools
        WHERE show_id = the_show AND free > 0
        WINDOW fullest AS (ORDER BY free DESC, pool_no)
    ), changed AS (
        UPDATE seat_pools
        SET free = seat_pools.free - least(counted.free, wanted - counted.seats_before)
        FROM counted
        WHERE seat_pools.show_id = the_show AND seat_pools.pool_no = counted.pool_no
            AND counted.seats_before < wanted AND counted.seats_in_all >= wanted
        RETURNING least(counted.free, wanted - counted.seats_before) AS seats
    )
    SELECT coalesce(sum(seats), 0) INTO taken FROM changed;
    IF taken NOT IN (0, wanted) THEN
        RAISE 'took % seats instead of %', taken, wanted;
    END IF;
    RETURN taken = wanted;
END
$$;
