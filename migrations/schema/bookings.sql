-- Bookings. Their triggers are in holders.sql, because they maintain its sums.

-- Bookings. A PENDING one is a hold. Written by the functions. Personal: user_name, holder, idempotency_key. Kept without them.
--
-- No foreign key to shows: it would lock the show's row for each booking, and a booking exists only because pools of its show do.
CREATE TABLE bookings (
    show_id         bigint      NOT NULL,
    id              uuid        NOT NULL,
    -- Personal. '(erased)' once anonymised.
    user_name       text        NOT NULL CONSTRAINT bookings_user_name_length CHECK (char_length(user_name) BETWEEN 1 AND 200),
    seats           integer     NOT NULL CONSTRAINT bookings_seats_positive CHECK (seats > 0),
    status          text        NOT NULL CONSTRAINT bookings_status CHECK (status IN ('PENDING', 'CONFIRMED', 'FAILED')),
    failure_reason  text        CONSTRAINT bookings_failure_reason CHECK (failure_reason IN ('expired', 'cancelled', 'refunded')),
    created_at      timestamptz NOT NULL,
    -- When the hold is over, by the database's clock.
    expires_at      timestamptz NOT NULL,
    -- When the booking left PENDING, or changed after that.
    settled_at      timestamptz,
    -- Personal. The client's idempotency key; a subject's or partner's is prefixed with its holder.
    idempotency_key text        CONSTRAINT bookings_idempotency_key_length CHECK (char_length(idempotency_key) BETWEEN 1 AND 600),
    -- Price of all its seats in minor units when it was booked; NULL: the show had no price.
    amount_minor    bigint      CONSTRAINT bookings_amount_not_negative CHECK (amount_minor >= 0),
    currency        text        CONSTRAINT bookings_currency CHECK (currency ~ '^[A-Z]{3}$'),
    -- Personal. Who holds it: 'sub:' and a token's subject, 'key:' and a partner's API key, or 'ip:' and an address. NULL: made
    -- before there were holders, or anonymised.
    holder          text        CONSTRAINT bookings_holder_length CHECK (char_length(holder) BETWEEN 4 AND 300),
    -- When its personal data was removed.
    anonymised_at   timestamptz,
    PRIMARY KEY (show_id, id),
    CONSTRAINT bookings_failed_has_reason CHECK ((status = 'FAILED') = (failure_reason IS NOT NULL)),
    CONSTRAINT bookings_settled_has_time CHECK ((status = 'PENDING') = (settled_at IS NULL)),
    CONSTRAINT bookings_expires_after_creation CHECK (expires_at > created_at),
    CONSTRAINT bookings_amount_has_currency CHECK ((amount_minor IS NULL) = (currency IS NULL)),
    CONSTRAINT bookings_anonymised_has_no_holder CHECK (anonymised_at IS NULL OR (holder IS NULL AND idempotency_key IS NULL)),
    CONSTRAINT bookings_clocks CHECK (clocks_are_readable(
        least(created_at, expires_at, settled_at, anonymised_at), greatest(created_at, expires_at, settled_at, anonymised_at)))
) WITH (
    autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 10000,
    autovacuum_vacuum_insert_scale_factor = 0.05, autovacuum_vacuum_insert_threshold = 10000,
    autovacuum_analyze_scale_factor = 0.02, autovacuum_analyze_threshold = 5000);

-- A repeated request finds the booking of the first one.
CREATE UNIQUE INDEX bookings_idempotency_key ON bookings (show_id, idempotency_key) WHERE idempotency_key IS NOT NULL;
-- For the sweep: holds that are over, oldest first.
CREATE INDEX bookings_due ON bookings (expires_at) WHERE status = 'PENDING';
-- For a holder's seats, its overdue holds, and the sum of a show's seats. Without failed bookings, which may be many.
CREATE INDEX bookings_live ON bookings (show_id, holder, status, expires_at) INCLUDE (seats) WHERE status <> 'FAILED';
-- For the check of refunded bookings.
CREATE INDEX bookings_refunded ON bookings (show_id, id) WHERE failure_reason = 'refunded';
-- For export and erasure by subject.
CREATE INDEX bookings_by_subject ON bookings (holder, show_id, id) WHERE starts_with(holder, 'sub:');

GRANT SELECT, INSERT ON bookings TO boxoffice_app;
GRANT UPDATE (status, failure_reason, settled_at, expires_at) ON bookings TO boxoffice_app;
GRANT UPDATE (user_name, holder, idempotency_key, anonymised_at) ON bookings TO boxoffice_app; -- Erasure.
GRANT SELECT (show_id, id, seats, status, failure_reason, created_at, expires_at, settled_at, amount_minor, currency,
    anonymised_at) ON bookings TO boxoffice_read;
