-- The index before has what it had.
DROP INDEX CONCURRENTLY shows_to_anonymise;
