-- Serves the retention job, in the order in which it goes on. By shows_to_anonymise, which it takes the place of, each look was
-- sorted; so the planner rather read all shows that were done long ago, by their start.
CREATE INDEX CONCURRENTLY shows_not_anonymised ON shows (start_time, id) WHERE anonymised_at IS NULL;
