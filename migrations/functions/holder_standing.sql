-- The seats that a holder has of a show, and its unpaid holds. A hold whose time is over does not count, whether it was expired
-- already or not.
--
-- One statement without side effects, so that the planner inlines it. For a counted holder it reads the row in holders and at most
-- 1,000 overdue holds; if there are more, the rest still counts until it is expired. For another holder it reads its few live
-- bookings.
--
-- Parameters: the_show, the_holder; allowed and hold_seconds: as in holder_wait.
-- Locks: none.
-- Outcomes: one row. pending_seats: seats of its holds. seats: seats held and sold. let_go: its unpaid holds, in holds of
-- hold_seconds, without what has faded. wait: as holder_wait, in seconds.
-- Called by: has_room, holder_seats; the statement that says why a booking was refused.
CREATE OR REPLACE FUNCTION holder_standing(the_show bigint, the_holder text, allowed integer, hold_seconds double precision)
RETURNS TABLE (pending_seats bigint, seats bigint, let_go bigint, wait double precision) LANGUAGE sql STABLE AS $$
    SELECT
        (has.pending_seats - has.overdue_seats)::bigint,
        (has.seats - has.overdue_seats)::bigint,
        coalesce(round(known.unpaid_s / hold_seconds), 0)::bigint,
        coalesce(holder_wait(known.unpaid_s, known.unpaid_at, known.waits_from, allowed, hold_seconds), 0)
    FROM (VALUES (1)) AS always
    LEFT JOIN holders AS known ON known.show_id = the_show AND known.holder = the_holder
    CROSS JOIN LATERAL (
        SELECT known.pending_seats, known.seats, (
            SELECT coalesce(sum(overdue.seats), 0)
            FROM (
                SELECT bookings.seats
                FROM bookings
                WHERE show_id = the_show AND holder = the_holder AND status = 'PENDING'
                    -- statement_timestamp() is stable and bounds the index scan. clock_timestamp() is volatile and would not.
                    AND expires_at <= statement_timestamp()
                ORDER BY expires_at
                LIMIT 1000
            ) AS overdue
        ) AS overdue_seats
        WHERE known.is_counted
        UNION ALL
        SELECT
            coalesce(sum(live.seats) FILTER (WHERE live.status = 'PENDING'), 0),
            coalesce(sum(live.seats), 0),
            coalesce(sum(live.seats) FILTER (WHERE live.status = 'PENDING' AND live.expires_at <= clock_timestamp()), 0)
        FROM bookings AS live
        WHERE live.show_id = the_show AND live.holder = the_holder AND live.status <> 'FAILED' AND known.is_counted IS NOT TRUE
        HAVING known.is_counted IS NOT TRUE
    ) AS has
$$;
