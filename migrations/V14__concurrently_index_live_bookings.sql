-- Serves the count of what a holder has, its holds that are overdue, and the sum of a show's seats. Failed bookings are not in it:
-- they may be many.
CREATE INDEX CONCURRENTLY bookings_live ON bookings (show_id, holder, status, expires_at) INCLUDE (seats) WHERE status <> 'FAILED';
