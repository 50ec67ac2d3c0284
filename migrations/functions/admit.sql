-- Whether a holder may book this many more seats of a show now.
--
-- Bookings of one holder and show take turns: each has the holder's lock until its transaction ends. Few may wait for the turn,
-- because each of them has a connection: 3 for one holder, so that 4 are in progress; 4 * times - 1 for a holder that counts for
-- `times` holders, and never more than 15. At 5 ms a booking, the last of 16 waits 75 ms. All others are refused at once.
--
-- A function, because what it counts must be newer than its lock. Each statement in a function has a snapshot of its own; the
-- snapshot of the calling statement is older than the wait.
--
-- Parameters: the_show, the_holder. wanted: seats to book. max_pending: the most seats it may have in holds. max_in_all: the most
-- seats it may have, held and sold. allowed and hold_seconds: as in holder_wait. times: how many holders this one counts for.
-- max_wait: the lock timeout in ms for the rest of the transaction; NULL leaves it as it is.
-- Locks: the holder of the show, and its place in the queue if it waited, as advisory locks; then as has_room.
-- Outcomes: true or false. NULL: too many bookings of the holder are in progress, and it did not wait. The answer stays true until
-- the transaction ends: only bookings and late payments add to what a holder has, and both need its lock.
-- Called by: admit_or_fail, superseded/admit_holder; the statement that books from the connection's own pool.
CREATE OR REPLACE FUNCTION admit(
    the_show bigint, the_holder text, wanted integer, max_pending bigint, max_in_all bigint, allowed integer,
    hold_seconds double precision, times integer, max_wait integer
) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    turn     CONSTANT bigint := hashtextextended(the_holder, the_show);
    place    integer := 1;
    admitted boolean;
BEGIN
    IF NOT pg_try_advisory_xact_lock(turn) THEN
        -- A place in the queue is an advisory lock next to the turn's own.
        WHILE NOT pg_try_advisory_xact_lock(turn # place) LOOP
            place := place + 1;
            IF place >= least(4 * times, 16) THEN
                RETURN NULL;
            END IF;
        END LOOP;
        -- An expression in a condition runs without a query, unlike PERFORM, which costs a booking 5 % more. It is never NULL.
        IF pg_advisory_xact_lock(turn) IS NULL THEN
            RETURN NULL;
        END IF;
    END IF;
    -- Most holders have no booking of the show and no unpaid hold.
    IF NOT EXISTS (SELECT FROM holders WHERE show_id = the_show AND holder = the_holder)
        AND NOT EXISTS (SELECT FROM bookings WHERE show_id = the_show AND holder = the_holder AND status <> 'FAILED')
    THEN
        admitted := wanted <= least(max_pending, max_in_all);
    ELSE
        admitted := has_room(the_show, the_holder, wanted, max_pending, max_in_all, allowed, hold_seconds);
    END IF;
    -- The timeout is for pools. The waits above were for the holder's own transactions.
    IF max_wait IS NOT NULL AND set_config('lock_timeout', max_wait || 'ms', true) IS NULL THEN
        RETURN NULL;
    END IF;
    RETURN admitted;
END
$$;
