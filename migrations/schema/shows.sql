-- Shows and their seats.

-- Shows. Written by the functions (an organiser creates and changes a show). No personal data. Kept.
CREATE TABLE shows (
    id                           bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name                         text        NOT NULL CONSTRAINT shows_name_length CHECK (char_length(name) BETWEEN 1 AND 200),
    start_time                   timestamptz NOT NULL,
    total_seats                  integer     NOT NULL CONSTRAINT shows_total_seats_range CHECK (total_seats BETWEEN 1 AND 1000000),
    max_seats_per_booking        integer     NOT NULL CONSTRAINT shows_max_seats_range
                                             CHECK (max_seats_per_booking BETWEEN 1 AND 1000),
    -- Pools in use: 0 to pools - 1. Pools above that, from a time with more pools, may still hold seats.
    pools                        integer     NOT NULL CONSTRAINT shows_pools_range CHECK (pools BETWEEN 1 AND 256),
    created_at                   timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- Price of a seat in minor units: 0 is free; NULL: only an operator confirms. 1,000 seats still fit a JSON number.
    price_minor                  bigint      CONSTRAINT shows_price_range CHECK (price_minor BETWEEN 0 AND 1000000000000),
    currency                     text        CONSTRAINT shows_currency CHECK (currency ~ '^[A-Z]{3}$'),
    -- Limits of one holder; NULL: the deployment's own limit.
    max_pending_seats_per_holder integer     CONSTRAINT shows_max_pending_seats_range
                                             CHECK (max_pending_seats_per_holder BETWEEN 1 AND 1000000),
    max_seats_per_holder         integer     CONSTRAINT shows_max_seats_per_holder_range
                                             CHECK (max_seats_per_holder BETWEEN 1 AND 1000000),
    -- When the personal data of all its bookings had been removed.
    anonymised_at                timestamptz,
    -- SHA-256 of the caller and the idempotency key that created the show, and of the request. They recognise a repeated request
    -- and reveal nothing about the caller: a subject cannot be guessed from them without the key. Never changed.
    creation_key                 bytea,
    creation_request             bytea,
    CONSTRAINT shows_price_has_currency CHECK ((price_minor IS NULL) = (currency IS NULL)),
    CONSTRAINT shows_creation_hashes
        CHECK ((creation_key IS NULL) = (creation_request IS NULL)
            AND octet_length(creation_key) = 32 AND octet_length(creation_request) = 32),
    CONSTRAINT shows_clocks CHECK (clocks_are_readable(
        least(start_time, created_at, anonymised_at), greatest(start_time, created_at, anonymised_at)))
);

-- For pages of upcoming shows.
CREATE INDEX shows_by_start ON shows (start_time, id);
-- One show for each idempotency key: of two requests at once, the second waits and finds the first one's show.
CREATE UNIQUE INDEX shows_creation_key ON shows (creation_key) WHERE creation_key IS NOT NULL;
-- For the job that anonymises the bookings of past shows, in its order.
CREATE INDEX shows_not_anonymised ON shows (start_time, id) WHERE anonymised_at IS NULL;

GRANT SELECT, INSERT ON shows TO boxoffice_app;
GRANT UPDATE (pools, max_pending_seats_per_holder, max_seats_per_holder, anonymised_at) ON shows TO boxoffice_app;
GRANT SELECT (id, name, start_time, total_seats, max_seats_per_booking, pools, created_at, price_minor, currency,
    max_pending_seats_per_holder, max_seats_per_holder, anonymised_at) ON shows TO boxoffice_read;

-- Free seats of a show, spread over pools so that bookings of a popular show do not wait for one row. Written by the functions.
-- No personal data. Kept: a release must find the pool that it saw.
--
-- fillfactor 10 leaves room on the page for new versions of its few rows, so each update is HOT (same page, no index entry), and
-- it spreads hot rows over more pages.
CREATE TABLE seat_pools (
    show_id bigint  NOT NULL REFERENCES shows (id),
    pool_no integer NOT NULL CONSTRAINT seat_pools_pool_no_range CHECK (pool_no BETWEEN 0 AND 255),
    free    integer NOT NULL CONSTRAINT seat_pools_free_not_negative CHECK (free >= 0),
    PRIMARY KEY (show_id, pool_no)
) WITH (fillfactor = 10, autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 1000);

GRANT SELECT, INSERT ON seat_pools TO boxoffice_app;
GRANT UPDATE (free) ON seat_pools TO boxoffice_app;
GRANT SELECT (show_id, pool_no, free) ON seat_pools TO boxoffice_read;

-- Functions.
\ir ../functions/take_seats.sql
\ir ../functions/wait_at_most.sql
