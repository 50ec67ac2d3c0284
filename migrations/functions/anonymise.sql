-- Removes the personal data from these bookings, and from what payment providers sent about them. The caller has locked the
-- bookings.
--
-- Parameters: of_shows and ids: the show and the id of each booking, in the same order.
-- Locks: the events of the bookings.
-- Outcomes: none.
-- Called by: erase_holder; the statement that anonymises the bookings of past shows.
CREATE OR REPLACE FUNCTION anonymise(of_shows bigint[], ids uuid[]) RETURNS void LANGUAGE sql AS $$
    SELECT empty_events(of_shows, ids);
    UPDATE bookings
    SET user_name = '(erased)', holder = NULL, idempotency_key = NULL, anonymised_at = clock_timestamp()
    FROM unnest(of_shows, ids) AS named (show_id, id)
    WHERE bookings.show_id = named.show_id AND bookings.id = named.id
$$;
