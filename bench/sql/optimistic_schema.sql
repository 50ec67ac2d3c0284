-- The column that optimistic locking compares.
ALTER TABLE seat_pools ADD COLUMN version bigint NOT NULL DEFAULT 0
