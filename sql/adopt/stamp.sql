-- A row that brings a number along, a copied one for example, would be passed over. In a
-- log that a relay has served in this database, each row gets the number of its own
-- transaction, whoever inserts it; before, a number is kept, because a dump is being
-- restored. No rewrite: writers wait for a moment.
CREATE OR REPLACE FUNCTION public.outbox_stamp() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp AS
$$
DECLARE
    in_service boolean := false;
BEGIN
    IF NEW.outbox_xact = pg_current_xact_id() THEN RETURN NEW; END IF;
    IF to_regprocedure('public.outbox_in_service()') IS NOT NULL THEN
        EXECUTE 'SELECT public.outbox_in_service()' INTO in_service;
    END IF;
    IF in_service THEN NEW.outbox_xact := pg_current_xact_id(); END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION public.outbox_stamp() IS
    'Sets the inserting transaction of a row, by which the relay finds it, whatever number it brings along.';
CREATE TRIGGER outbox_stamped BEFORE INSERT ON :table FOR EACH ROW EXECUTE FUNCTION public.outbox_stamp();
ALTER TABLE :table ENABLE ALWAYS TRIGGER outbox_stamped;
