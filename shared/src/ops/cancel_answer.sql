SELECT show_id, id, user_name, released.seats, status, failure_reason, created_at, expires_at, settled_at, amount_minor, currency,
    true AS changed
FROM released, returned
UNION ALL
SELECT show_id, id, user_name, seats, status, failure_reason, created_at, expires_at, settled_at, amount_minor, currency, false
FROM locked
WHERE NOT EXISTS (SELECT FROM released)
