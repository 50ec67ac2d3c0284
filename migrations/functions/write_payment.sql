-- Writes a payment as it is now: inserts its row, or updates it.
--
-- Parameters: becomes: the payment.
-- Locks: the payment.
-- Outcomes: none.
-- Called by: apply_payment_event, settle_payment, decide_dispute.
CREATE OR REPLACE FUNCTION write_payment(becomes payments) RETURNS void LANGUAGE sql AS $$
    INSERT INTO payments (
        provider, payment_id, show_id, booking_id, state, reason, amount_minor, currency, succeeded_at, refunded_minor,
        refund_failed_at, refund_told_at, returned_minor, wanted_minor, total_kind, total_minor, total_currency, total_at,
        full_told_at, settled_minor, settled_at, disputed, price_minor, price_currency)
    VALUES (
        becomes.provider, becomes.payment_id, becomes.show_id, becomes.booking_id, becomes.state, becomes.reason,
        becomes.amount_minor, becomes.currency, becomes.succeeded_at, becomes.refunded_minor, becomes.refund_failed_at,
        becomes.refund_told_at, becomes.returned_minor, becomes.wanted_minor, becomes.total_kind, becomes.total_minor,
        becomes.total_currency, becomes.total_at, becomes.full_told_at, becomes.settled_minor, becomes.settled_at,
        becomes.disputed, becomes.price_minor, becomes.price_currency)
    ON CONFLICT (provider, payment_id) DO UPDATE
    SET show_id = excluded.show_id, booking_id = excluded.booking_id, state = excluded.state, reason = excluded.reason,
        amount_minor = excluded.amount_minor, currency = excluded.currency, succeeded_at = excluded.succeeded_at,
        refunded_minor = excluded.refunded_minor, refund_failed_at = excluded.refund_failed_at,
        refund_told_at = excluded.refund_told_at, returned_minor = excluded.returned_minor,
        wanted_minor = excluded.wanted_minor, total_kind = excluded.total_kind, total_minor = excluded.total_minor,
        total_currency = excluded.total_currency, total_at = excluded.total_at, full_told_at = excluded.full_told_at,
        settled_minor = excluded.settled_minor, settled_at = excluded.settled_at, disputed = excluded.disputed,
        price_minor = excluded.price_minor, price_currency = excluded.price_currency,
        updated_at = clock_timestamp()
$$;
