-- Reads a page of the events that were not understood, in the order of arrival.
--
-- $1 received_at timestamptz, $2 provider text and $3 event_id text: the page begins after them; $4 limit bigint
--
-- Locks: none. Uses the index payment_events_unreadable.
-- Outcomes: at most $4 events, without their payloads; is_cut: whether a part of the payload may be missing. Payloads
-- are cut at 65,536 bytes, after the last whole character (of at most 4 bytes).
SELECT provider, event_id, type, payment_id, show_id, booking_id, change, outcome, reason, occurred_at, received_at,
    (octet_length(payload) >= 65533 OR payload = '') AS is_cut
FROM payment_events
WHERE change = 'unreadable' AND (received_at, provider, event_id) > ($1, $2, $3)
ORDER BY received_at, provider, event_id
LIMIT $4
