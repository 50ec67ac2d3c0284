-- Shows, their free seats in pools, and bookings.
--
-- Seats of a show are spread over one or more pool rows so that bookings of a popular show need not queue behind one
-- row lock. Invariant, for every show:
--   sum(seat_pools.free) + sum(seats of PENDING and CONFIRMED bookings) = shows.total_seats

CREATE TABLE shows (
    id                    bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name                  text        NOT NULL CONSTRAINT shows_name_length CHECK (char_length(name) BETWEEN 1 AND 200),
    start_time            timestamptz NOT NULL,
    total_seats           integer     NOT NULL CONSTRAINT shows_total_seats_range CHECK (total_seats BETWEEN 1 AND 1000000),
    max_seats_per_booking integer     NOT NULL CONSTRAINT shows_max_seats_range CHECK (max_seats_per_booking BETWEEN 1 AND 1000),
    -- Pools in use: 0 .. pools - 1. Rows above it, left from a time with more pools, may still hold seats.
    pools                 integer     NOT NULL CONSTRAINT shows_pools_range CHECK (pools BETWEEN 1 AND 256),
    created_at            timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- Serves the keyset pages of upcoming shows.
CREATE INDEX shows_by_start ON shows (start_time, id);

-- Pool rows are never deleted: a booking that gives seats back to a row it saw must find it.
-- fillfactor 10 leaves room on the page for new versions of its few rows, so that every update stays HOT
-- (same page, no index entry), and it spreads hot rows over more pages.
CREATE TABLE seat_pools (
    show_id bigint  NOT NULL REFERENCES shows (id),
    pool_no integer NOT NULL CONSTRAINT seat_pools_pool_no_range CHECK (pool_no BETWEEN 0 AND 255),
    free    integer NOT NULL CONSTRAINT seat_pools_free_not_negative CHECK (free >= 0),
    PRIMARY KEY (show_id, pool_no)
) WITH (fillfactor = 10, autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 1000);

-- No foreign key to shows: it would lock the show's row for every booking, and a booking exists only because pool rows
-- of its show did. Shows are never deleted.
CREATE TABLE bookings (
    show_id         bigint      NOT NULL,
    id              uuid        NOT NULL,
    user_name       text        NOT NULL CONSTRAINT bookings_user_name_length CHECK (char_length(user_name) BETWEEN 1 AND 200),
    seats           integer     NOT NULL CONSTRAINT bookings_seats_positive CHECK (seats > 0),
    status          text        NOT NULL CONSTRAINT bookings_status CHECK (status IN ('PENDING', 'CONFIRMED', 'FAILED')),
    failure_reason  text        CONSTRAINT bookings_failure_reason CHECK (failure_reason IN ('expired', 'cancelled')),
    created_at      timestamptz NOT NULL,
    expires_at      timestamptz NOT NULL,
    -- When the booking left PENDING.
    settled_at      timestamptz,
    idempotency_key text        CONSTRAINT bookings_idempotency_key_length CHECK (char_length(idempotency_key) BETWEEN 1 AND 255),
    PRIMARY KEY (show_id, id),
    CONSTRAINT bookings_failed_has_reason CHECK ((status = 'FAILED') = (failure_reason IS NOT NULL)),
    CONSTRAINT bookings_settled_has_time CHECK ((status = 'PENDING') = (settled_at IS NULL)),
    CONSTRAINT bookings_expires_after_creation CHECK (expires_at > created_at)
);

-- The record of an idempotent request is the booking itself; the key is the client's, within one show.
CREATE UNIQUE INDEX bookings_idempotency_key ON bookings (show_id, idempotency_key) WHERE idempotency_key IS NOT NULL;

-- Serves the sweep: holds that are due, oldest first. It has no entry for what is settled.
CREATE INDEX bookings_due ON bookings (expires_at) WHERE status = 'PENDING';
