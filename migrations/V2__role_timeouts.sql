-- Bounds on what a statement may wait, for the role that runs the migrations and the functions.
--
-- As settings of the role and not of a session: RDS Proxy refuses start-up options, and SET pins its sessions.
-- They are in order, each inside the next: lock 2 s < statement 4 s < the client's patience with one attempt 5 s; two
-- silent attempts 10 s < the API functions' timeout 15 s.
DO $$
BEGIN
    EXECUTE format('ALTER ROLE %I SET lock_timeout = %L', current_user, '2s');
    EXECUTE format('ALTER ROLE %I SET statement_timeout = %L', current_user, '4s');
    EXECUTE format('ALTER ROLE %I SET idle_in_transaction_session_timeout = %L', current_user, '5s');
END
$$;
