SELECT clocked.show_id, clocked.id, released.id IS NOT NULL AS expired,
    CASE WHEN clocked.status = 'PENDING' AND released.id IS NULL
        THEN extract(epoch FROM clocked.expires_at - clocked.now)::double precision
    END AS due_in
FROM clocked
CROSS JOIN returned
LEFT JOIN released USING (show_id, id)
