-- What a holder let go is in holders since the last migration but three, which replaced the one function that read this index.
DROP INDEX CONCURRENTLY bookings_let_go;
