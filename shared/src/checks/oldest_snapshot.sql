-- Finds what has kept the server from cleaning up for the longest: an old row version stays while a snapshot may still
-- see it.
--
-- Locks: none. It reads only columns of other roles' sessions that everybody may see. The time at which they began is
-- not one of these, and would not measure the harm: old versions come from transactions.
-- Outcomes: no row: there is none. Otherwise age: the transactions since; and holder: what holds the snapshot.
SELECT held.age::bigint AS age, held.holder
FROM (
    SELECT
        greatest(age(backend_xmin), age(backend_xid)) AS age,
        format('process %s of %s (%s)', pid, usename, application_name) AS holder
    FROM pg_stat_activity
    -- Sessions of other databases do not matter. A walsender, which acts for a replica, has no database.
    WHERE (datname = current_database() OR datname IS NULL) AND pid <> pg_backend_pid()
        -- Vacuum itself holds nothing back.
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
