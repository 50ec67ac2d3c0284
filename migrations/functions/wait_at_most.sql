-- Limits for how long the rest of the transaction waits for a lock.
--
-- A function, because RDS Proxy pins a session when it sees SET in its statements.
--
-- Parameters: ms: the lock timeout in milliseconds; NULL leaves it as it is.
-- Locks: none.
-- Outcomes: none.
-- Called by: the statements that cancel, expire and sweep holds, before they release seats to pools.
CREATE OR REPLACE FUNCTION wait_at_most(ms integer) RETURNS void LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    IF ms IS NOT NULL THEN
        PERFORM set_config('lock_timeout', ms || 'ms', true);
    END IF;
END
$$;
