-- Reads a stored event and what was kept of its body.
--
-- $1 provider text, $2 event_id text
--
-- Locks: none.
-- Outcomes: no row: no such event. Otherwise the event and payload; is_cut: whether a part of the payload may be
-- missing (see list_unreadable.sql).
SELECT provider, event_id, type, payment_id, show_id, booking_id, change, outcome, reason, occurred_at, received_at,
    (octet_length(payload) >= 65533 OR payload = '') AS is_cut, payload
FROM payment_events
WHERE provider = $1 AND event_id = $2
