-- Empties the payloads of payment events that came so long ago, the oldest first.
--
-- $1 hours integer: how long ago; $2 limit bigint
--
-- Locks: at most $2 events that nobody else has locked.
-- Outcomes: one row: emptied, the number of events.
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
    FROM due
    WHERE payment_events.provider = due.provider AND payment_events.event_id = due.event_id
    RETURNING 1
)
SELECT count(*) AS emptied FROM emptied
