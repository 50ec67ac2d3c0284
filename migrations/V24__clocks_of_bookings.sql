-- As the migration `clocks` says. In a migration of its own: so one table is locked at a time.
SELECT bound_clocks('bookings');
