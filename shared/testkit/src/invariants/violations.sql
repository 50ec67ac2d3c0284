-- Lists violations of the seat sums and of the holders' counts, one sentence per row; no row if there are none.
--
-- One statement, so one snapshot: it may run while others book, and sees each of their transactions in full or not at
-- all. A CHECK already forbids a negative `free`; this also finds one in a test that dropped the CHECK.
WITH held AS (
    SELECT show_id, sum(seats) AS seats
    FROM bookings
    WHERE status IN ('PENDING', 'CONFIRMED')
    GROUP BY show_id
), unsold AS (
    SELECT show_id, sum(free) AS seats
    FROM seat_pools
    GROUP BY show_id
)
SELECT format('show %s: %s free + %s held = %s seats, expected %s',
              shows.id, coalesce(unsold.seats, 0), coalesce(held.seats, 0),
              coalesce(unsold.seats, 0) + coalesce(held.seats, 0), shows.total_seats)
FROM shows
LEFT JOIN held ON held.show_id = shows.id
LEFT JOIN unsold ON unsold.show_id = shows.id
WHERE coalesce(unsold.seats, 0) + coalesce(held.seats, 0) <> shows.total_seats
UNION ALL
SELECT format('show %s: pool %s has %s free', show_id, pool_no, free)
FROM seat_pools
WHERE free < 0
UNION ALL
SELECT format('booking %s-%s: its show does not exist', show_id, id)
FROM bookings
WHERE NOT EXISTS (SELECT FROM shows WHERE shows.id = bookings.show_id)
UNION ALL
SELECT format('show %s: the holder %s is counted with %s seats (%s pending), expected %s (%s)',
              counted.show_id, counted.holder, counted.seats, counted.pending_seats, has.seats, has.pending_seats)
FROM holders AS counted
CROSS JOIN LATERAL (
    SELECT coalesce(sum(seats), 0) AS seats, coalesce(sum(seats) FILTER (WHERE status = 'PENDING'), 0) AS pending_seats
    FROM bookings
    WHERE show_id = counted.show_id AND holder = counted.holder AND status IN ('PENDING', 'CONFIRMED')
) AS has
WHERE counted.is_counted AND (counted.seats, counted.pending_seats) <> (has.seats, has.pending_seats)
ORDER BY 1
LIMIT 100
