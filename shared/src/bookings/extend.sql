-- Extends a hold that has not ended.
--
-- $1 show_id bigint, $2 id uuid, $3 by double precision (seconds from now), $4 ceiling double precision (seconds from
-- the booking's creation), $5 holder text: derived from the subject of the caller's token, or NULL
--
-- Locks: the booking.
-- Outcomes: no row: no such booking, or it belongs to another subject. Otherwise the booking as it is now; changed:
-- whether this call extended it; and over: whether it is PENDING although its hold has ended.
--
-- A hold is never shortened. The clock is read after the lock is held, as in confirm.sql.
WITH locked AS MATERIALIZED (
    SELECT * FROM bookings
    WHERE show_id = $1 AND id = $2
        AND anonymised_at IS NULL AND (holder IS NULL OR NOT starts_with(holder, 'sub:') OR holder = $5)
    FOR UPDATE
), clocked AS MATERIALIZED (
    SELECT show_id, id, status, expires_at, created_at, clock_timestamp() AS now FROM locked
), aimed AS MATERIALIZED (
    SELECT *, least(now + make_interval(secs => $3), created_at + make_interval(secs => $4)) AS until FROM clocked
), extended AS (
    UPDATE bookings
    SET expires_at = aimed.until
    FROM aimed
    WHERE bookings.show_id = aimed.show_id AND bookings.id = aimed.id
        AND aimed.status = 'PENDING' AND aimed.expires_at > aimed.now AND aimed.until > aimed.expires_at
    RETURNING bookings.*
), answer AS (
    SELECT *, true AS changed, false AS over FROM extended
    UNION ALL
    SELECT *, false, status = 'PENDING' AND expires_at <= (SELECT now FROM clocked)
    FROM locked
    WHERE NOT EXISTS (SELECT FROM extended)
)
SELECT changed, over,
