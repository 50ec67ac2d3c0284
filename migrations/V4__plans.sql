-- Every statement here is served by an index. A connection plans a statement once and keeps the plan; one that planned
-- while the tables were empty would go on reading them whole as they grow, until they are analysed: at the worst moment,
-- the first minutes of a first sale. So for this role an index is always preferred.
DO $$
BEGIN
    EXECUTE format('ALTER ROLE %I SET enable_seqscan = off', current_user);
END
$$;
