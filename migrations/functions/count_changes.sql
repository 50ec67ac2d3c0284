-- Trigger: keeps the sums of counted holders, and the unpaid time of holders whose holds expired or were cancelled, whichever
-- statement changed the bookings. A late payment takes the time of its hold away again.
--
-- Parameters: the transition tables gone (the rows before) and came (the rows after).
-- Locks: the rows of holders by (show_id, holder), after the bookings and their pools. A new booking changes only the row of its
-- own holder, so there is no deadlock.
-- Outcomes: none; the rows are already written.
-- Called by: the trigger bookings_changed.
CREATE OR REPLACE FUNCTION count_changes() RETURNS trigger LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    INSERT INTO holders AS known (show_id, holder, pending_seats, seats, unpaid_s, unpaid_at, waits_from)
    SELECT moved.show_id, moved.holder, moved.pending_seats, moved.seats, moved.unpaid_s, moved.unpaid_at, moved.waits_from
    FROM (
        SELECT show_id, holder,
            sum(more_pending_seats) AS pending_seats,
            sum(more_seats) AS seats,
            sum(kept_s * (lets_go::integer - let_go::integer)) AS unpaid_s,
            max(settled_at) FILTER (WHERE lets_go AND NOT let_go) AS unpaid_at,
            max(settled_at) FILTER (WHERE lets_go AND NOT let_go AND kept_s >= length_s / 2) AS waits_from,
            bool_or(let_go AND NOT lets_go) AS takes_back
        FROM (
            SELECT came.show_id, came.holder, came.settled_at,
                came.seats * (CASE came.status WHEN 'PENDING' THEN 1 ELSE 0 END - CASE gone.status WHEN 'PENDING' THEN 1 ELSE 0 END)
                    AS more_pending_seats,
                came.seats * (CASE came.status WHEN 'FAILED' THEN 0 ELSE 1 END - CASE gone.status WHEN 'FAILED' THEN 0 ELSE 1 END)
                    AS more_seats,
                coalesce(came.failure_reason, '') IN ('expired', 'cancelled') AS lets_go,
                coalesce(gone.failure_reason, '') IN ('expired', 'cancelled') AS let_go,
                extract(epoch FROM came.expires_at - came.created_at) AS length_s,
                extract(epoch FROM
                    least(CASE came.status WHEN 'FAILED' THEN came.settled_at ELSE gone.settled_at END, came.expires_at)
                    - came.created_at) AS kept_s
            FROM came
            JOIN gone USING (show_id, id)
            WHERE came.holder = gone.holder AND came.status <> gone.status
        ) AS each_of_them
        GROUP BY show_id, holder
    ) AS moved
    -- No row for a holder that is not counted and left no hold unpaid.
    WHERE moved.unpaid_at IS NOT NULL OR EXISTS (
        SELECT FROM holders
        WHERE holders.show_id = moved.show_id AND holders.holder = moved.holder AND (holders.is_counted OR moved.takes_back))
    ORDER BY moved.show_id, moved.holder
    ON CONFLICT (show_id, holder) DO UPDATE
    SET pending_seats = known.pending_seats + EXCLUDED.pending_seats,
        seats = known.seats + EXCLUDED.seats,
        unpaid_s = greatest(0, EXCLUDED.unpaid_s + known.unpaid_s * CASE
            WHEN known.unpaid_at IS NULL OR EXCLUDED.unpaid_at IS NULL THEN 1
            ELSE greatest(0, least(1, 1 - extract(epoch FROM EXCLUDED.unpaid_at - known.unpaid_at)::double precision / 3600)) END),
        unpaid_at = greatest(known.unpaid_at, EXCLUDED.unpaid_at),
        waits_from = CASE
            WHEN EXCLUDED.unpaid_at >= known.unpaid_at + make_interval(hours => 1) THEN EXCLUDED.waits_from
            ELSE greatest(known.waits_from, EXCLUDED.waits_from) END;
    RETURN NULL;
END
$$;
