-- Payments, their events, refunds and disputes.

-- Payments, one row for each that a provider reported. Written by record_payment_event, replay_event, settle_payment and
-- decide_dispute. No personal data: ids, amounts and times. Kept, for accounting.
--
-- The key has no show_id, unlike every other key. An event that names only the payment (a refund) must find it. With the show in
-- the key, one payment that names two bookings would pay for both.
CREATE TABLE payments (
    provider         text        NOT NULL CONSTRAINT payments_provider CHECK (provider IN ('stripe', 'standard')),
    payment_id       text        NOT NULL CONSTRAINT payments_payment_id_length CHECK (char_length(payment_id) BETWEEN 1 AND 255),
    -- The booking that it names. No foreign key: the booking may not exist, and the payment is recorded all the same.
    show_id          bigint,
    booking_id       uuid,
    -- unclaimed: it succeeded and names no booking, so its money is not ours to refund.
    state            text        NOT NULL CONSTRAINT payments_state
                                 CHECK (state IN ('pending', 'failed', 'confirmed', 'refund_due', 'refunded', 'unclaimed')),
    -- Why a refund is or was due.
    reason           text,
    -- What was received, in minor units.
    amount_minor     bigint      CONSTRAINT payments_amount_not_negative CHECK (amount_minor >= 0),
    currency         text        CONSTRAINT payments_currency CHECK (currency ~ '^[A-Z]{3}$'),
    -- When we learned of its success, by our clock.
    succeeded_at     timestamptz,
    -- The greatest total that was reported as refunded, other than all of it.
    refunded_minor   bigint      NOT NULL DEFAULT 0,
    -- The last failure of a refund that names no refund, and the last report of a refund; by the provider's clock.
    refund_failed_at timestamptz,
    refund_told_at   timestamptz,
    created_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- What was returned or is on its way, and the most that was ever meant to be: the results of payment_refunded.
    returned_minor   bigint      NOT NULL DEFAULT 0,
    wanted_minor     bigint      NOT NULL DEFAULT 0,
    -- The last total reported as refunded, by the provider's clock: full (all of it), amount (this much) or part (this much, and
    -- that is not all).
    total_kind       text,
    total_minor      bigint,
    total_currency   text,
    total_at         timestamptz,
    -- When all of it was first reported as refunded, by the provider's clock.
    full_told_at     timestamptz,
    -- What had been returned in all when an operator said that nothing was due any more, and when; by our clock.
    settled_minor    bigint,
    settled_at       timestamptz,
    -- A dispute is open, or was lost and an operator has not decided about the booking.
    disputed         boolean     NOT NULL DEFAULT false,
    -- How much of the amount is for the booking, if not all: without tax, tip or shipping, or in the shop's own currency.
    price_minor      bigint,
    price_currency   text,
    PRIMARY KEY (provider, payment_id),
    CONSTRAINT payments_booking_has_show CHECK ((show_id IS NULL) = (booking_id IS NULL)),
    CONSTRAINT payments_amount_has_currency CHECK ((amount_minor IS NULL) = (currency IS NULL)),
    CONSTRAINT payments_success_has_amount CHECK ((succeeded_at IS NULL) = (amount_minor IS NULL)),
    -- A refund may be reported before the success.
    CONSTRAINT payments_success_is_decided CHECK (CASE state
        WHEN 'confirmed' THEN succeeded_at IS NOT NULL AND booking_id IS NOT NULL
        WHEN 'refund_due' THEN succeeded_at IS NOT NULL
        WHEN 'unclaimed' THEN succeeded_at IS NOT NULL AND booking_id IS NULL
        WHEN 'refunded' THEN true
        ELSE succeeded_at IS NULL END),
    CONSTRAINT payments_refund_due_has_reason CHECK (state <> 'refund_due' OR reason IS NOT NULL),
    CONSTRAINT payments_total_kind CHECK (CASE total_kind
        WHEN 'full' THEN total_minor IS NULL
        WHEN 'amount' THEN total_minor IS NOT NULL
        WHEN 'part' THEN total_minor IS NOT NULL
        ELSE total_kind IS NULL AND total_at IS NULL END),
    CONSTRAINT payments_settled_has_time CHECK ((settled_minor IS NULL) = (settled_at IS NULL)),
    CONSTRAINT payments_price_has_currency CHECK ((price_minor IS NULL) = (price_currency IS NULL)),
    CONSTRAINT payments_clocks CHECK (clocks_are_readable(
        least(succeeded_at, refund_failed_at, refund_told_at, created_at, updated_at, total_at, full_told_at, settled_at),
        greatest(succeeded_at, refund_failed_at, refund_told_at, created_at, updated_at, total_at, full_told_at, settled_at)))
) WITH (
    autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 10000,
    autovacuum_vacuum_insert_scale_factor = 0.05, autovacuum_vacuum_insert_threshold = 10000,
    autovacuum_analyze_scale_factor = 0.02, autovacuum_analyze_threshold = 5000);

CREATE UNIQUE INDEX payments_one_confirmed ON payments (show_id, booking_id) WHERE state = 'confirmed';
-- For a booking's payments, and for the check by show.
CREATE INDEX payments_by_booking ON payments (show_id, booking_id) WHERE show_id IS NOT NULL;
-- For an operator's pages: all payments of a state; and those with money to refund, or disputed.
CREATE INDEX payments_by_state ON payments (state, created_at, provider, payment_id);
CREATE INDEX payments_to_see_to ON payments (created_at, provider, payment_id)
    WHERE disputed OR state = 'refund_due' OR (state = 'confirmed' AND wanted_minor > returned_minor);

GRANT SELECT, INSERT ON payments TO boxoffice_app;
GRANT UPDATE (show_id, booking_id, state, reason, amount_minor, currency, succeeded_at, refunded_minor, refund_failed_at,
    refund_told_at, updated_at, returned_minor, wanted_minor, total_kind, total_minor, total_currency, total_at, full_told_at,
    settled_minor, settled_at, disputed, price_minor, price_currency) ON payments TO boxoffice_app;
GRANT SELECT (provider, payment_id, show_id, booking_id, state, reason, amount_minor, currency, succeeded_at, refunded_minor,
    refund_failed_at, refund_told_at, created_at, updated_at, returned_minor, wanted_minor, total_kind, total_minor,
    total_currency, total_at, full_told_at, settled_minor, settled_at, disputed, price_minor, price_currency)
    ON payments TO boxoffice_read;

-- The inbox of payment events: every verified event, once. Written by record_payment_event and replay_event; payloads are emptied
-- by erasure and by the retention job. Personal: payload (providers put names and addresses there). Kept without it.
CREATE TABLE payment_events (
    provider     text        NOT NULL CONSTRAINT payment_events_provider CHECK (provider IN ('stripe', 'standard')),
    event_id     text        NOT NULL CONSTRAINT payment_events_event_id_length CHECK (char_length(event_id) BETWEEN 1 AND 255),
    -- The provider's name for the kind of event.
    type         text        NOT NULL CONSTRAINT payment_events_type_length CHECK (char_length(type) <= 255),
    payment_id   text        CONSTRAINT payment_events_payment_id_length CHECK (char_length(payment_id) BETWEEN 1 AND 255),
    show_id      bigint,
    booking_id   uuid,
    -- By the provider's clock, and by ours.
    occurred_at  timestamptz NOT NULL,
    received_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- Our name for the change that it reports.
    change       text        NOT NULL CONSTRAINT payment_events_change CHECK (change IN (
                             'succeeded', 'failed', 'cancelled', 'refunded', 'refunded_in_part', 'refund', 'refund_failed',
                             'disputed', 'other', 'unreadable')),
    amount_minor bigint,
    currency     text,
    -- The outcome, and why a refund is due.
    outcome      text        NOT NULL CONSTRAINT payment_events_outcome
                             CHECK (outcome IN ('confirmed', 'refund_due', 'refunded', 'unclaimed', 'disputed', 'kept')),
    reason       text,
    -- Personal. The body as received, at most 64 KiB; text, because it may not be JSON. '' once emptied.
    payload      text        NOT NULL CONSTRAINT payment_events_payload_size CHECK (octet_length(payload) <= 65536),
    -- The refund or dispute that it is about, and its state.
    about_id     text,
    about_state  text,
    PRIMARY KEY (provider, event_id),
    CONSTRAINT payment_events_clocks CHECK (clocks_are_readable(
        least(occurred_at, received_at), greatest(occurred_at, received_at)))
) WITH (
    autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 10000,
    autovacuum_vacuum_insert_scale_factor = 0.05, autovacuum_vacuum_insert_threshold = 10000,
    autovacuum_analyze_scale_factor = 0.02, autovacuum_analyze_threshold = 5000);

-- For the events of a payment.
CREATE INDEX payment_events_by_payment ON payment_events (provider, payment_id) WHERE payment_id IS NOT NULL;
-- For export and erasure by subject.
CREATE INDEX payment_events_by_booking ON payment_events (show_id, booking_id) WHERE show_id IS NOT NULL AND payload <> '';
-- For the retention job.
CREATE INDEX payment_events_to_empty ON payment_events (received_at) WHERE payload <> '';
-- For an operator's pages of unreadable events.
CREATE INDEX payment_events_unreadable ON payment_events (received_at, provider, event_id) WHERE change = 'unreadable';

GRANT SELECT, INSERT ON payment_events TO boxoffice_app;
GRANT UPDATE (type, payment_id, show_id, booking_id, occurred_at, change, amount_minor, currency, outcome, reason, payload,
    about_id, about_state) ON payment_events TO boxoffice_app;
GRANT SELECT (provider, event_id, type, payment_id, show_id, booking_id, occurred_at, received_at, change, amount_minor,
    currency, outcome, reason, about_id, about_state) ON payment_events TO boxoffice_read;

-- Refunds, one row for each that a provider reported by its id. Written by tell_refund. No personal data. Kept, as payments are.
--
-- The key begins with the payment: a payment's refunds are read together, and events of two payments do not wait for each other.
CREATE TABLE payment_refunds (
    provider      text        NOT NULL,
    payment_id    text        NOT NULL,
    refund_id     text        NOT NULL CONSTRAINT payment_refunds_refund_id_length CHECK (char_length(refund_id) BETWEEN 1 AND 255),
    amount_minor  bigint      NOT NULL CONSTRAINT payment_refunds_amount_not_negative CHECK (amount_minor >= 0),
    currency      text        NOT NULL CONSTRAINT payment_refunds_currency CHECK (currency ~ '^[A-Z]{3}$'),
    state         text        NOT NULL CONSTRAINT payment_refunds_state CHECK (state IN ('pending', 'succeeded', 'failed')),
    -- The first and the last report, and the first report of its failure; by the provider's clock.
    first_told_at timestamptz NOT NULL,
    told_at       timestamptz NOT NULL,
    failed_at     timestamptz,
    created_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (provider, payment_id, refund_id),
    CONSTRAINT payment_refunds_failed_has_time CHECK ((state = 'failed') = (failed_at IS NOT NULL)),
    CONSTRAINT payment_refunds_clocks CHECK (clocks_are_readable(
        least(first_told_at, told_at, failed_at, created_at, updated_at),
        greatest(first_told_at, told_at, failed_at, created_at, updated_at)))
) WITH (
    autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 10000,
    autovacuum_vacuum_insert_scale_factor = 0.05, autovacuum_vacuum_insert_threshold = 10000,
    autovacuum_analyze_scale_factor = 0.02, autovacuum_analyze_threshold = 5000);

GRANT SELECT, INSERT ON payment_refunds TO boxoffice_app;
GRANT UPDATE (amount_minor, state, first_told_at, told_at, failed_at, updated_at) ON payment_refunds TO boxoffice_app;
GRANT SELECT ON payment_refunds TO boxoffice_read;

-- Disputes, one row for each. Written by tell_dispute, and by decide_dispute when an operator decides. No personal data. Kept, as
-- payments are.
CREATE TABLE payment_disputes (
    provider     text        NOT NULL,
    payment_id   text        NOT NULL,
    dispute_id   text        NOT NULL CONSTRAINT payment_disputes_dispute_id_length
                             CHECK (char_length(dispute_id) BETWEEN 1 AND 255),
    -- NULL: all of the payment.
    amount_minor bigint      CONSTRAINT payment_disputes_amount_not_negative CHECK (amount_minor >= 0),
    currency     text        CONSTRAINT payment_disputes_currency CHECK (currency ~ '^[A-Z]{3}$'),
    state        text        NOT NULL CONSTRAINT payment_disputes_state CHECK (state IN (
                             'opened', 'funds_withdrawn', 'funds_reinstated', 'closed', 'won', 'lost')),
    -- When the event that counts happened, by the provider's clock.
    told_at      timestamptz NOT NULL,
    -- What an operator decided about the booking of a lost dispute, and when.
    decision     text        CONSTRAINT payment_disputes_decision CHECK (decision IN ('keep', 'cancel')),
    decided_at   timestamptz,
    created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (provider, payment_id, dispute_id),
    CONSTRAINT payment_disputes_amount_has_currency CHECK ((amount_minor IS NULL) = (currency IS NULL)),
    CONSTRAINT payment_disputes_decision_has_time CHECK ((decision IS NULL) = (decided_at IS NULL)),
    CONSTRAINT payment_disputes_clocks CHECK (clocks_are_readable(
        least(told_at, decided_at, created_at, updated_at), greatest(told_at, decided_at, created_at, updated_at)))
) WITH (
    autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 10000,
    autovacuum_vacuum_insert_scale_factor = 0.05, autovacuum_vacuum_insert_threshold = 10000,
    autovacuum_analyze_scale_factor = 0.02, autovacuum_analyze_threshold = 5000);

GRANT SELECT, INSERT ON payment_disputes TO boxoffice_app;
GRANT UPDATE (amount_minor, currency, state, told_at, decision, decided_at, updated_at) ON payment_disputes TO boxoffice_app;
GRANT SELECT ON payment_disputes TO boxoffice_read;

-- Functions: what a payment is worth.
\ir ../functions/payment_due.sql
\ir ../functions/payment_lost.sql
\ir ../functions/payment_refunded.sql
\ir ../functions/is_disputed.sql
\ir ../functions/payment_report.sql
-- Functions: bookings that payments confirm or fail.
\ir ../functions/pay_booking.sql
\ir ../functions/refund_booking.sql
\ir ../functions/unconfirm_payment.sql
-- Functions: what follows from an event.
\ir ../functions/lock_payment.sql
\ir ../functions/tell_refund.sql
\ir ../functions/tell_dispute.sql
\ir ../functions/count_refunds.sql
\ir ../functions/write_payment.sql
\ir ../functions/apply_payment_event.sql
\ir ../functions/record_payment_event.sql
\ir ../functions/replay_event.sql
-- Functions: what an operator does.
\ir ../functions/settle_payment.sql
\ir ../functions/decide_dispute.sql
