-- Creates a show and its pools, with the seats spread evenly.
--
-- $1 name text, $2 start_time timestamptz, $3 total_seats integer, $4 max_seats_per_booking integer, $5 pools integer,
-- $6 price_minor bigint (of a seat) and $7 currency text, or both NULL, $8 max_pending_seats_per_holder integer or
-- NULL, $9 max_seats_per_holder integer or NULL, $10 creation_key bytea and $11 creation_request bytea, or both NULL
--
-- Locks: the key in its unique index, so another request with the same key waits. Otherwise none that anybody waits
-- for.
-- Outcomes: no row: $2 is not in the future, or an earlier request with this key created a show. Otherwise the show.
WITH created AS (
    INSERT INTO shows (
        name, start_time, total_seats, max_seats_per_booking, pools, price_minor, currency, max_pending_seats_per_holder,
        max_seats_per_holder, creation_key, creation_request)
    SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11
    WHERE $2 > clock_timestamp()
    ON CONFLICT (creation_key) WHERE creation_key IS NOT NULL DO NOTHING
    RETURNING *
), pooled AS (
    -- The first pools get the remainder, one seat each.
    INSERT INTO seat_pools (show_id, pool_no, free)
    SELECT id, pool_no, total_seats / pools + (pool_no < total_seats % pools)::integer
    FROM created, generate_series(0, pools - 1) AS pool_no
)
SELECT id, name, start_time, total_seats, max_seats_per_booking, max_pending_seats_per_holder, max_seats_per_holder, pools,
    price_minor, currency, total_seats::bigint AS available_seats
FROM created
