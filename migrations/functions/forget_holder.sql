-- Trigger: deletes the row of holders when a booking gets another holder, or none, as an erasure does. If the holder still has
-- bookings, they are counted again when needed.
--
-- It runs with the rights of its owner: boxoffice_app deletes nothing, except here.
--
-- Parameters: OLD and NEW, the row of bookings.
-- Locks: the rows of holders, last.
-- Outcomes: none; the row is already written.
-- Called by: the trigger bookings_forgotten.
CREATE OR REPLACE FUNCTION forget_holder() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    DELETE FROM holders WHERE show_id = OLD.show_id AND holder IN (OLD.holder, NEW.holder);
    RETURN NULL;
END
$$;
