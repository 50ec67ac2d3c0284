SELECT released.*, true AS changed FROM released, returned
UNION ALL
SELECT locked.*, false FROM locked WHERE NOT EXISTS (SELECT FROM released)
