-- Reads the events about some bookings that still have their payload.
--
-- $1 show_id bigint[], $2 id uuid[]: the bookings; $3 limit bigint: events of one booking; $4 bytes bigint: of all
-- payloads
--
-- Locks: none.
-- Outcomes: at most $3 events of each booking, latest first, in the order of the bookings; of_booking, the booking's
-- position, from 1. When the payloads up to and including those of a booking exceed $4 bytes, its payloads and all
-- after them are NULL.
WITH found AS MATERIALIZED (
    SELECT event.provider, event.event_id, event.received_at, octet_length(event.payload) AS bytes, page.of_booking
    FROM unnest($1, $2) WITH ORDINALITY AS page (show_id, id, of_booking)
    CROSS JOIN LATERAL (
        SELECT *
        FROM events_of_booking(page.show_id, page.id)
        ORDER BY received_at DESC, provider, event_id
        LIMIT $3
    ) AS event
), counted AS (
    -- A booking's events are peers in the window, so all of them fit or none does.
    SELECT *, sum(bytes) OVER (ORDER BY of_booking) AS so_far FROM found
)
SELECT counted.provider, counted.event_id, event.type, event.occurred_at, counted.received_at,
    CASE WHEN counted.so_far <= $4 THEN event.payload END AS payload, counted.of_booking
FROM counted
JOIN payment_events AS event ON event.provider = counted.provider AND event.event_id = counted.event_id
ORDER BY counted.of_booking, counted.received_at DESC, counted.provider, counted.event_id
