-- A row per seat. The view replaces the pools, so that the same check of the invariants can read it.
CREATE TABLE seats (
    show_id    bigint  NOT NULL,
    seat_no    integer NOT NULL,
    booking_id uuid,
    PRIMARY KEY (show_id, seat_no)
) WITH (fillfactor = 50);
CREATE INDEX seats_free ON seats (show_id, seat_no) WHERE booking_id IS NULL;
INSERT INTO seats (show_id, seat_no)
SELECT show_id, generate_series(1, free) FROM seat_pools;
DROP TABLE seat_pools;
CREATE VIEW seat_pools AS
SELECT show_id, 0 AS pool_no, count(*) AS free FROM seats WHERE booking_id IS NULL GROUP BY show_id;
ANALYZE seats
