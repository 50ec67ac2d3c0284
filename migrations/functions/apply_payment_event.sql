-- Does what follows from an event that had no effect yet. This is the one place where that is decided. The caller writes the
-- outcome to payment_events.
--
-- A payment may contain more than the price of the booking, such as tax or a tip. `prices` are the possible readings of what is for
-- the booking: the payment pays for a booking whose price is one of them. NULL: the amount itself.
--
-- Parameters: the_provider, the_payment; the_show and the_booking: what the event names, or NULL; occurred: when, by the provider's
-- clock; the_change: payment_events.change, but neither other nor unreadable; amount and the_currency: of the payment, refund or
-- dispute; the_about and the_about_state: the refund or dispute and its state, or NULL; max_in_all, address_allowance and
-- partner_allowance: as in pay_booking; prices and prices_currency: as above.
-- Locks, in this order, after those of lock_payment: the payment, its booking, then pools of its show.
-- Outcomes: outcome: confirmed, refund_due, refunded, unclaimed, disputed or kept (nothing follows). reason: why a refund is due.
-- Called by: record_payment_event, replay_event.
CREATE OR REPLACE FUNCTION apply_payment_event(
    the_provider text, the_payment text, the_show bigint, the_booking uuid, occurred timestamptz, the_change text,
    amount bigint, the_currency text, the_about text, the_about_state text,
    max_in_all integer, address_allowance integer, partner_allowance integer, prices bigint[], prices_currency text,
    OUT outcome text, OUT reason text
) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    was     payments;
    becomes payments;
    is_new  boolean;
    is_told boolean := false;
    -- The reading that is the booking's price.
    price   bigint;
    kind    text;
    kinds   constant text[] := '{part,amount,full}';
BEGIN
    outcome := 'kept';
    SELECT * INTO was FROM payments WHERE provider = the_provider AND payment_id = the_payment FOR UPDATE;
    is_new := NOT FOUND;
    IF is_new THEN
        was.provider := the_provider;
        was.payment_id := the_payment;
        was.show_id := the_show;
        was.booking_id := the_booking;
        was.state := 'pending';
        was.refunded_minor := 0;
        was.returned_minor := 0;
        was.wanted_minor := 0;
        was.disputed := false;
    END IF;
    becomes := was;
    -- What was refunded or settled before refunds had rows of their own counts as a reported total.
    IF was.total_at IS NULL AND was.settled_at IS NULL AND (was.state = 'refunded' OR was.refunded_minor > 0)
        AND NOT EXISTS (SELECT FROM payment_refunds WHERE provider = the_provider AND payment_id = the_payment)
        AND NOT EXISTS (SELECT FROM payment_disputes WHERE provider = the_provider AND payment_id = the_payment) THEN
        becomes.total_kind := CASE was.state WHEN 'refunded' THEN 'full' ELSE 'amount' END;
        becomes.total_at := coalesce(was.refund_told_at, was.updated_at);
        IF was.state = 'refunded' THEN
            becomes.full_told_at := becomes.total_at;
        ELSE
            becomes.total_minor := was.refunded_minor;
            becomes.total_currency := was.currency;
        END IF;
    END IF;

    CASE the_change
    WHEN 'succeeded' THEN
        IF prices IS NULL THEN
            prices := ARRAY[amount];
            prices_currency := the_currency;
        END IF;
        -- A booking's price does not change, so reading it needs no lock.
        SELECT amount_minor INTO price
        FROM bookings
        WHERE show_id = coalesce(the_show, was.show_id) AND id = coalesce(the_booking, was.booking_id)
            AND amount_minor = ANY (prices) AND currency = prices_currency;
        -- One success may have two events (Stripe's payment intent and checkout session). The first may name no booking, or may
        -- not say how much of the amount is for it. Money that was returned since pays for nothing.
        IF was.succeeded_at IS NULL OR (was.state = 'unclaimed' AND the_booking IS NOT NULL)
            OR (was.state = 'refund_due' AND was.reason = 'wrong_amount' AND price IS NOT NULL
                AND (the_booking IS NULL OR (the_show, the_booking) = (was.show_id, was.booking_id))
                AND was.wanted_minor = 0 AND was.returned_minor = 0 AND NOT was.disputed) THEN
            IF the_booking IS NOT NULL THEN
                becomes.show_id := the_show;
                becomes.booking_id := the_booking;
            END IF;
            becomes.amount_minor := amount;
            becomes.currency := the_currency;
            price := coalesce(price, prices[1]);
            IF (price, prices_currency) IS DISTINCT FROM (amount, the_currency) THEN
                becomes.price_minor := price;
                becomes.price_currency := prices_currency;
            ELSE
                becomes.price_minor := NULL;
                becomes.price_currency := NULL;
            END IF;
            becomes.succeeded_at := clock_timestamp();
            becomes.reason := NULL;
            IF becomes.booking_id IS NULL THEN
                becomes.state := 'unclaimed';
                becomes.reason := 'names_no_booking';
            ELSE
                -- Refunds and disputes may have been reported first. What was meant to be returned pays for nothing.
                becomes.state := 'refunded';
                IF NOT is_new THEN
                    becomes := count_refunds(becomes);
                END IF;
                IF becomes.wanted_minor < amount OR (amount = 0 AND becomes.full_told_at IS NULL) THEN
                    becomes.reason := pay_booking(
                        becomes.show_id, becomes.booking_id, price, prices_currency, occurred, max_in_all, address_allowance,
                        partner_allowance);
                    becomes.state := CASE WHEN becomes.reason IS NULL THEN 'confirmed' ELSE 'refund_due' END;
                END IF;
            END IF;
            IF NOT is_new THEN
                becomes := count_refunds(becomes);
            END IF;
            outcome := becomes.state;
        END IF;
    WHEN 'failed', 'cancelled' THEN
        -- Success wins, whichever event came first.
        IF was.state = 'pending' THEN
            becomes.state := 'failed';
        END IF;
    WHEN 'refunded', 'refunded_in_part' THEN
        kind := CASE WHEN amount IS NULL THEN 'full' WHEN the_change = 'refunded_in_part' THEN 'part' ELSE 'amount' END;
        -- A total that cannot be about money that was received does not count. See payment_refunded.
        IF kind = 'full' OR was.amount_minor IS NULL
            OR (the_currency = was.currency AND (amount < was.amount_minor OR (amount = was.amount_minor AND kind = 'amount')))
        THEN
            becomes.refund_told_at := greatest(was.refund_told_at, occurred);
            IF kind = 'full' THEN
                becomes.full_told_at := least(becomes.full_told_at, occurred);
            ELSE
                becomes.refunded_minor := greatest(was.refunded_minor, amount);
            END IF;
            IF becomes.total_at IS NULL
                OR (occurred, array_position(kinds, kind), coalesce(amount, 0))
                    > (becomes.total_at, array_position(kinds, becomes.total_kind), coalesce(becomes.total_minor, 0)) THEN
                becomes.total_kind := kind;
                becomes.total_minor := amount;
                becomes.total_currency := the_currency;
                becomes.total_at := occurred;
            END IF;
            becomes := count_refunds(becomes);
        END IF;
    WHEN 'refund' THEN
        PERFORM tell_refund(the_provider, the_payment, the_about, amount, the_currency, the_about_state, occurred);
        IF the_about_state <> 'failed' THEN
            becomes.refund_told_at := greatest(was.refund_told_at, occurred);
        END IF;
        becomes := count_refunds(becomes);
    WHEN 'refund_failed' THEN
        becomes.refund_failed_at := greatest(was.refund_failed_at, occurred);
        becomes := count_refunds(becomes);
    WHEN 'disputed' THEN
        is_told := tell_dispute(the_provider, the_payment, the_about, amount, the_currency, the_about_state, occurred);
        becomes := count_refunds(becomes);
    END CASE;

    IF the_change <> 'succeeded' THEN
        IF the_change = 'disputed' AND is_told AND becomes.disputed THEN
            outcome := 'disputed';
        ELSIF becomes.state = 'refunded' AND was.state <> 'refunded' THEN
            outcome := 'refunded';
        ELSIF payment_due(becomes) > payment_due(was) THEN
            outcome := 'refund_due';
        END IF;
    END IF;
    reason := CASE WHEN outcome = 'refund_due' THEN coalesce(becomes.reason, 'refund_failed') END;
    IF is_new OR becomes IS DISTINCT FROM was THEN
        PERFORM write_payment(becomes);
    END IF;
END
$$;
