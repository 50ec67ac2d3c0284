-- Empties the payloads of old payment events, oldest first.
--
-- $1 hours integer: the event was received at least this long ago; $2 limit bigint
--
-- Locks: at most $2 events that nobody else has locked.
-- Outcomes: one row: emptied, the number of events.
--
-- The events are found by arrays of their keys, because the planner cannot know how few are due and reads the whole
-- table for a join.
WITH due AS MATERIALIZED (
    SELECT provider, event_id
    FROM payment_events
    WHERE payload <> '' AND received_at <= now() - make_interval(hours => $1)
    ORDER BY received_at
    LIMIT $2
    FOR UPDATE SKIP LOCKED
), emptied AS (
    UPDATE payment_events
    SET payload = ''
    WHERE provider = ANY (ARRAY(SELECT DISTINCT provider FROM due)) AND event_id = ANY (ARRAY(SELECT event_id FROM due))
        AND EXISTS (SELECT FROM due WHERE due.provider = payment_events.provider AND due.event_id = payment_events.event_id)
    RETURNING 1
)
SELECT count(*) AS emptied FROM emptied
