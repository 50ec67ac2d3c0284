-- Finds shows whose seats do not add up, in a slice of the shows.
--
-- $1 show_id bigint: the slice begins after this show; $2 limit bigint: shows; $3 seats bigint: a show is included
-- while the shows before it in the slice have fewer seats than this
--
-- Locks: none. One statement, so one snapshot: it can run while others book and pay, and sees all or nothing of each
-- transaction. Each show must therefore be summed in one statement, however many bookings it has. It reads only held
-- and sold bookings, by bookings_live, not failed ones. A show with two million bookings, half a million of them sold,
-- takes 0.2 s, and 0.3 s before a vacuum.
-- Outcomes: at least one row: show_id, the last show checked (NULL: there are no more); then rule and detail of each
-- violation (NULL: there is none), at most 100.
WITH slice AS MATERIALIZED (
    SELECT id, total_seats
    FROM (
        SELECT id, total_seats, sum(total_seats) OVER (ORDER BY id) - total_seats AS seats_before
        FROM (SELECT id, total_seats FROM shows WHERE id > $1 ORDER BY id LIMIT $2) AS next
    ) AS summed
    WHERE seats_before < $3
), last AS (
    SELECT id FROM slice ORDER BY id DESC LIMIT 1
), counted AS MATERIALIZED (
    SELECT id, total_seats,
        coalesce((SELECT sum(free) FROM seat_pools WHERE show_id = slice.id), 0) AS free,
        coalesce((SELECT sum(seats) FROM bookings WHERE show_id = slice.id AND status <> 'FAILED'), 0) AS held
    FROM slice
), found AS (
    SELECT 'seats' AS rule,
        format('show %s: %s free + %s held = %s seats, expected %s', id, free, held, free + held, total_seats) AS detail
    FROM counted
    WHERE free + held <> total_seats
)
SELECT (SELECT id FROM last WHERE EXISTS (SELECT FROM shows WHERE shows.id > last.id)) AS show_id, worst.rule, worst.detail
FROM (VALUES (1)) AS always
LEFT JOIN (SELECT rule, detail FROM found ORDER BY rule, detail LIMIT 100) AS worst ON true
