-- Confirms a hold whose time is not over.
--
-- $1 show_id bigint, $2 id uuid
--
-- Locks: the booking.
-- Outcomes: no row: no such booking. Else the booking as it is now, and changed: whether this call confirmed it.
-- Still PENDING: its time is over.
--
-- The clock is read after the lock is held: a predicate on the row would have run before the wait for the lock, and
-- could confirm a hold that ended meanwhile.
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
