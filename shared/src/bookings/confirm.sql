-- Confirms a hold that has not ended.
--
-- $1 show_id bigint, $2 id uuid
--
-- Locks: the booking.
-- Outcomes: no row: no such booking. Otherwise the booking as it is now, and changed: whether this call confirmed it.
-- Still PENDING: its hold has ended.
--
-- The clock is read after the lock is held. A predicate on the row would be evaluated before the wait for the lock, and
-- could confirm a hold that ended during that wait.
WITH locked AS MATERIALIZED (
    SELECT * FROM bookings WHERE show_id = $1 AND id = $2 FOR UPDATE
), clocked AS MATERIALIZED (
    SELECT show_id, id, status, expires_at, clock_timestamp() AS now FROM locked
), confirmed AS (
    UPDATE bookings
    SET status = 'CONFIRMED', settled_at = clocked.now
    FROM clocked
    WHERE bookings.show_id = clocked.show_id AND bookings.id = clocked.id
        AND clocked.status = 'PENDING' AND clocked.expires_at > clocked.now
    RETURNING bookings.*
), answer AS (
    SELECT *, true AS changed FROM confirmed
    UNION ALL
    SELECT *, false FROM locked WHERE NOT EXISTS (SELECT FROM confirmed)
)
SELECT changed,
