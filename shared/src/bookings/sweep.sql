-- Expires holds that are due and whose message did not come, oldest first.
--
-- $1 limit bigint, $2 shows bigint[]: shows to skip
--
-- Locks: at most $1 bookings that nobody else has locked, then the pools that receive their seats. A locked booking is
-- being changed by another transaction; it is skipped, so that one stuck transaction cannot block the sweep.
-- Outcomes: one row: expired, the number of bookings.
WITH due AS MATERIALIZED (
    SELECT ctid AS place
    FROM bookings
    WHERE status = 'PENDING' AND expires_at <= statement_timestamp() AND show_id <> ALL ($2)
    ORDER BY expires_at
    LIMIT $1
    FOR UPDATE SKIP LOCKED
), released AS (
    UPDATE bookings
    SET status = 'FAILED', failure_reason = 'expired', settled_at = clock_timestamp()
    -- By ctid, because the planner cannot know how few holds are due and might read the whole table for a join. A row
    -- that changed after this statement began has another ctid and is left for the next batch.
    WHERE ctid = ANY (ARRAY(SELECT place FROM due))
    RETURNING bookings.show_id, bookings.id, bookings.seats
