-- Serves the lists of money that is still to be sent back, and of payments that are disputed.
CREATE INDEX CONCURRENTLY payments_to_see_to ON payments (created_at, provider, payment_id)
    WHERE disputed OR state = 'refund_due' OR (state = 'confirmed' AND wanted_minor > returned_minor);
