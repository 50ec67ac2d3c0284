-- The second migration gave its bounds to whoever ran it. Since the fifth that is the owner alone: an index, a dump or a look by
-- hand may take longer than 4 s. What an operator chose instead stays. The bound on a lock stays too: sales would wait behind it.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = current_user AND 'statement_timeout=4s' = ANY (rolconfig)) THEN
        EXECUTE format('ALTER ROLE %I RESET statement_timeout', current_user);
    END IF;
END
$$;
