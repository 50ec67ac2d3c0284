-- For how long a holder must not book, because of its unpaid holds.
--
-- What counts is the time for which seats were kept from other buyers, however the hold ended. An extended hold counts for as long
-- as it lasted, a cancelled one for the time until it was cancelled. So it is no cheaper to cancel at the last moment and book
-- again, or to extend. A hold that is expired late counts until its own end. The time fades to zero within an hour, linearly:
-- after half an hour, half of it counts.
--
-- A holder may leave `allowed` holds of hold_seconds unpaid. After the next one it waits 1 minute from the last of them, and twice
-- as long after each further one: 1, 2, 4 ... 32 minutes, then an hour from the seventh on. The wait starts at the end of the last
-- hold that lasted at least half its time, if there is one: releasing seats early makes nobody wait longer.
--
-- Parameters: unpaid_s, unpaid_at and waits_from: the columns of holders. allowed: unpaid holds without a wait. hold_seconds: the
-- length of a hold.
-- Locks: none.
-- Outcomes: seconds until the holder may book; 0: now.
-- Called by: has_room, holder_standing.
CREATE OR REPLACE FUNCTION holder_wait(
    unpaid_s double precision, unpaid_at timestamptz, waits_from timestamptz, allowed integer, hold_seconds double precision
) RETURNS double precision LANGUAGE sql STABLE AS $$
    SELECT CASE
        WHEN unpaid_at > clock_timestamp() - make_interval(hours => 1) AND round(unpaid_s / hold_seconds) > allowed
        THEN greatest(0, extract(epoch FROM
            coalesce(waits_from, unpaid_at)
            + least(
                make_interval(mins => 1) * 2 ^ least(round(unpaid_s / hold_seconds) - allowed - 1, 6), make_interval(hours => 1))
            - clock_timestamp()))::double precision
        ELSE 0 END
$$;
