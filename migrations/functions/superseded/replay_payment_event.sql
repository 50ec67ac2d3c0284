-- For functions of an earlier release: replay_event without refunds and disputes as rows, and without holder limits.
--
-- Parameters: as in replay_event.
-- Locks: as in replay_event.
-- Outcomes: those that the earlier release knows: unclaimed is reported as kept, and there is no disputed.
-- Called by: functions that were deployed before the migration V19. A later release drops it.
CREATE OR REPLACE FUNCTION replay_payment_event(
    the_provider text, the_event text, the_type text, the_payment text, the_show bigint, the_booking uuid,
    occurred timestamptz, the_change text, amount bigint, the_currency text,
    OUT outcome text, OUT reason text
) LANGUAGE sql AS $$
    SELECT CASE replayed.outcome WHEN 'unclaimed' THEN 'kept' ELSE replayed.outcome END, replayed.reason
    FROM replay_event(
        the_provider, the_event, the_type, the_payment, the_show, the_booking, occurred, the_change, amount, the_currency,
        NULL, NULL, NULL, NULL, NULL) AS replayed
$$;
