-- Expires holds that are due and whose message did not come, the oldest first.
--
-- $1 limit bigint, $2 shows bigint[]: those to pass over
--
-- Locks: at most $1 bookings that nobody else has locked, then the pools that their seats go to. A locked booking is
-- being settled by somebody; it is skipped, so that one stuck transaction cannot hold up the sweep.
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
    -- By their places: for a join the planner, which cannot know how few are due, may read the whole table. A row that was changed
    -- since this statement began has another place: it is for the next batch.
    WHERE ctid = ANY (ARRAY(SELECT place FROM due))
    RETURNING bookings.show_id, bookings.id, bookings.seats
