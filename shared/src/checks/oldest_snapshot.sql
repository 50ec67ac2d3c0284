-- Finds who has kept the server from cleaning up for longest: an old version of a row stays while a snapshot may still see it.
--
-- Locks: none. What it reads of other roles' sessions everybody may see; when they began is not among it. Nor would that say what
-- harm was done: it is by transactions that versions come.
-- Outcomes: no row: nobody does. Else age: the transactions since; and holder, who it is.
SELECT held.age::bigint AS age, held.holder
FROM (
    SELECT
        greatest(age(backend_xmin), age(backend_xid)) AS age,
        format('process %s of %s (%s)', pid, usename, application_name) AS holder
    FROM pg_stat_activity
    -- Of another database it would be no matter. A walsender, which speaks for a replica, is of none.
    WHERE (datname = current_database() OR datname IS NULL) AND pid <> pg_backend_pid()
        -- The cleaning itself keeps nothing.
        AND pid NOT IN (SELECT pid FROM pg_stat_progress_vacuum)
    UNION ALL
    SELECT age(xmin), format('replication slot %s', slot_name) FROM pg_replication_slots
    UNION ALL
    SELECT age(transaction), format('prepared transaction %s of %s', gid, owner)
    FROM pg_prepared_xacts
    WHERE database = current_database()
) AS held
WHERE held.age IS NOT NULL
ORDER BY held.age DESC
LIMIT 1
