-- One show for each key: of two requests at once the second waits for the first, and finds its show.
CREATE UNIQUE INDEX CONCURRENTLY shows_creation_key ON shows (creation_key) WHERE creation_key IS NOT NULL;
