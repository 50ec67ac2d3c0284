SELECT (SELECT count(*) FROM released) AS expired FROM returned
