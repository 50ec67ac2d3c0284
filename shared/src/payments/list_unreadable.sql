-- A page of the events that were not understood, the first to come first.
--
-- $1 received_at timestamptz, $2 provider text and $3 event_id text: the page begins after them; $4 limit bigint
--
-- Locks: none. It comes by payment_events_unreadable.
-- Outcomes: at most $4 events, without their payloads; is_cut: whether a part of its payload may be missing. One is cut
-- at 65,536 bytes, at the last whole character of 4 at most.
SELECT provider, event_id, type, payment_id, show_id, booking_id, change, outcome, reason, occurred_at, received_at,
    (octet_length(payload) >= 65533 OR payload = '') AS is_cut
FROM payment_events
WHERE change = 'unreadable' AND (received_at, provider, event_id) > ($1, $2, $3)
ORDER BY received_at, provider, event_id
LIMIT $4
