-- bookings_live serves all that it did.
DROP INDEX CONCURRENTLY bookings_held;
