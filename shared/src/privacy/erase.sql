-- Anonymises some of a subject's bookings, whatever state they are in.
--
-- $1 holder text: the one that the subject's token makes; $2 limit bigint
--
-- Locks: at most $2 bookings by (show_id, id), waited for: an erasure passes over nothing. Then their events. See the function
-- erase_holder of the seventh migration, which decides.
-- Outcomes: one row: erased, the number of bookings.
SELECT erase_holder($1, $2) AS erased
