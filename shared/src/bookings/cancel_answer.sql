, answer AS (
    SELECT released.*, true AS changed FROM released, returned
    UNION ALL
    SELECT *, false FROM locked WHERE NOT EXISTS (SELECT FROM released)
)
SELECT changed,
