-- Anonymises some of a subject's bookings, in any state.
--
-- $1 holder text: derived from the subject; $2 limit bigint
--
-- Locks: at most $2 bookings, by (show_id, id), then their events. It waits for locked bookings, because an erasure
-- must not skip any. The function erase_holder of the seventh migration decides.
-- Outcomes: one row: erased, the number of bookings.
SELECT erase_holder($1, $2) AS erased
