-- Anonymises some of a subject's bookings, whatever their state.
--
-- A function, because what it empties must be newer than its locks: while it waited for a booking, a payment of that booking may
-- have been recorded. Each statement in a function has a snapshot of its own.
--
-- Parameters: the_holder: only a holder that is a subject ('sub:...') has an effect. at_most: the most bookings to anonymise.
-- Locks: up to at_most bookings by (show_id, id), which it waits for; then their events.
-- Outcomes: the number of bookings it anonymised. Fewer than at_most: none are left.
-- Called by: the statement that erases a subject.
CREATE OR REPLACE FUNCTION erase_holder(the_holder text, at_most bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    of_shows bigint[];
    ids      uuid[];
BEGIN
    SELECT array_agg(batch.show_id), array_agg(batch.id) INTO of_shows, ids
    FROM (
        SELECT show_id, id
        FROM bookings
        WHERE holder = the_holder AND starts_with(holder, 'sub:')
        ORDER BY show_id, id
        LIMIT at_most
        FOR UPDATE
    ) AS batch;
    PERFORM anonymise(of_shows, ids);
    RETURN coalesce(cardinality(ids), 0);
END
$$;
