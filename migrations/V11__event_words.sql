-- The words for what events of refunds and disputes say, and which refund or dispute they tell of.
--
-- A migration of its own, so that no transaction locks both payments and their events. The constraints are added without a look at
-- the rows there are: a later migration has them looked at.
ALTER TABLE payment_events
    -- The refund or dispute that it tells of, and where that is.
    ADD COLUMN about_id    text,
    ADD COLUMN about_state text,
    DROP CONSTRAINT payment_events_change,
    ADD CONSTRAINT payment_events_change CHECK (change IN (
        'succeeded', 'failed', 'cancelled', 'refunded', 'refunded_in_part', 'refund', 'refund_failed', 'disputed', 'other',
        'unreadable')) NOT VALID,
    DROP CONSTRAINT payment_events_outcome,
    ADD CONSTRAINT payment_events_outcome
        CHECK (outcome IN ('confirmed', 'refund_due', 'refunded', 'unclaimed', 'disputed', 'kept')) NOT VALID;

GRANT UPDATE (about_id, about_state) ON payment_events TO boxoffice_app;
GRANT SELECT (about_id, about_state) ON payment_events TO boxoffice_read;
