-- A booking may cost nothing: that of a show whose price is 0.
--
-- A migration of its own, so that no transaction locks both shows and bookings. The constraint is added without a look at the rows
-- there are: a later migration has them looked at.
ALTER TABLE bookings
    DROP CONSTRAINT bookings_amount_positive,
    ADD CONSTRAINT bookings_amount_not_negative CHECK (amount_minor >= 0) NOT VALID;
