-- Refunds and disputes are rows of their own: what a provider tells of one of them, by whatever events in whatever order, is
-- told of one row.
--
-- Constraints are added without a look at the rows there are: a later migration has them looked at, without locking anybody out.

-- One row for each refund that a provider told of by its id.
--
-- The key begins with the payment: a payment's refunds are read together, and no event of one payment waits for another's.
-- Who writes: the function record_payment_event. No personal data: ids, amounts and times, kept as payments are.
CREATE TABLE payment_refunds (
    provider      text        NOT NULL,
    payment_id    text        NOT NULL,
    refund_id     text        NOT NULL CONSTRAINT payment_refunds_refund_id_length CHECK (char_length(refund_id) BETWEEN 1 AND 255),
    amount_minor  bigint      NOT NULL CONSTRAINT payment_refunds_amount_not_negative CHECK (amount_minor >= 0),
    currency      text        NOT NULL CONSTRAINT payment_refunds_currency CHECK (currency ~ '^[A-Z]{3}$'),
    state         text        NOT NULL CONSTRAINT payment_refunds_state CHECK (state IN ('pending', 'succeeded', 'failed')),
    -- By the provider's clock: when it was told of first and last, and when it was first said to have failed.
    first_told_at timestamptz NOT NULL,
    told_at       timestamptz NOT NULL,
    failed_at     timestamptz,
    created_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (provider, payment_id, refund_id),
    CONSTRAINT payment_refunds_failed_has_time CHECK ((state = 'failed') = (failed_at IS NOT NULL))
);

-- One row for each dispute. As above: the same key, writers and kind of data; an operator's decision is written by decide_dispute.
CREATE TABLE payment_disputes (
    provider     text        NOT NULL,
    payment_id   text        NOT NULL,
    dispute_id   text        NOT NULL CONSTRAINT payment_disputes_dispute_id_length CHECK (char_length(dispute_id) BETWEEN 1 AND 255),
    -- NULL: all of the payment.
    amount_minor bigint      CONSTRAINT payment_disputes_amount_not_negative CHECK (amount_minor >= 0),
    currency     text        CONSTRAINT payment_disputes_currency CHECK (currency ~ '^[A-Z]{3}$'),
    state        text        NOT NULL CONSTRAINT payment_disputes_state CHECK (state IN
                             ('opened', 'funds_withdrawn', 'funds_reinstated', 'closed', 'won', 'lost')),
    -- When the event that counts happened, by the provider's clock.
    told_at      timestamptz NOT NULL,
    -- What an operator decided of the booking once it was lost.
    decision     text        CONSTRAINT payment_disputes_decision CHECK (decision IN ('keep', 'cancel')),
    decided_at   timestamptz,
    created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (provider, payment_id, dispute_id),
    CONSTRAINT payment_disputes_amount_has_currency CHECK ((amount_minor IS NULL) = (currency IS NULL)),
    CONSTRAINT payment_disputes_decision_has_time CHECK ((decision IS NULL) = (decided_at IS NULL))
);

ALTER TABLE payments
    -- Of its amount: what went back, or is on its way; and the most that somebody ever meant to go back. They are what the
    -- function payment_refunded says of the other columns and of the payment's refunds.
    ADD COLUMN returned_minor bigint NOT NULL DEFAULT 0,
    ADD COLUMN wanted_minor   bigint NOT NULL DEFAULT 0,
    -- What was told last, by the provider's clock, of all that was refunded: full (all of it), amount (so much), part (so
    -- much, and that is not all).
    ADD COLUMN total_kind     text,
    ADD COLUMN total_minor    bigint,
    ADD COLUMN total_currency text,
    ADD COLUMN total_at       timestamptz,
    -- When it was first told of that all of it was refunded.
    ADD COLUMN full_told_at   timestamptz,
    -- What had gone back, in all, when an operator said that nothing was due any more; by our clock.
    ADD COLUMN settled_minor  bigint,
    ADD COLUMN settled_at     timestamptz,
    -- A dispute is open, or was lost and an operator has not decided what becomes of the booking.
    ADD COLUMN disputed       boolean NOT NULL DEFAULT false,
    -- What of its amount is for a booking, where that is not all of it: without tax, a tip or shipping on top, or in the shop's
    -- currency where the buyer paid in another.
    ADD COLUMN price_minor    bigint,
    ADD COLUMN price_currency text,
    DROP CONSTRAINT payments_state,
    -- unclaimed: it succeeded and names no booking.
    ADD CONSTRAINT payments_state
        CHECK (state IN ('pending', 'failed', 'confirmed', 'refund_due', 'refunded', 'unclaimed')) NOT VALID,
    DROP CONSTRAINT payments_success_is_decided,
    ADD CONSTRAINT payments_success_is_decided CHECK (CASE state
        WHEN 'confirmed' THEN succeeded_at IS NOT NULL AND booking_id IS NOT NULL
        WHEN 'refund_due' THEN succeeded_at IS NOT NULL
        WHEN 'unclaimed' THEN succeeded_at IS NOT NULL AND booking_id IS NULL
        WHEN 'refunded' THEN true
        ELSE succeeded_at IS NULL END) NOT VALID,
    ADD CONSTRAINT payments_total_kind CHECK (CASE total_kind
        WHEN 'full' THEN total_minor IS NULL
        WHEN 'amount' THEN total_minor IS NOT NULL
        WHEN 'part' THEN total_minor IS NOT NULL
        ELSE total_kind IS NULL AND total_at IS NULL END) NOT VALID,
    ADD CONSTRAINT payments_settled_has_time CHECK ((settled_minor IS NULL) = (settled_at IS NULL)) NOT VALID,
    ADD CONSTRAINT payments_price_has_currency CHECK ((price_minor IS NULL) = (price_currency IS NULL)) NOT VALID;

GRANT SELECT, INSERT ON payment_refunds, payment_disputes TO boxoffice_app;
GRANT UPDATE (amount_minor, state, first_told_at, told_at, failed_at, updated_at) ON payment_refunds TO boxoffice_app;
GRANT UPDATE (amount_minor, currency, state, told_at, decision, decided_at, updated_at) ON payment_disputes TO boxoffice_app;
GRANT UPDATE (returned_minor, wanted_minor, total_kind, total_minor, total_currency, total_at, full_told_at, settled_minor,
    settled_at, disputed, price_minor, price_currency) ON payments TO boxoffice_app;
GRANT SELECT ON payment_refunds, payment_disputes TO boxoffice_read;
GRANT SELECT (returned_minor, wanted_minor, total_kind, total_minor, total_currency, total_at, full_told_at, settled_minor,
    settled_at, disputed, price_minor, price_currency) ON payments TO boxoffice_read;
