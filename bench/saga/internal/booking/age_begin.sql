-- What is copied: sagas that have ended, with all that belongs to them.
CREATE SCHEMA aged;

CREATE TABLE aged.saga AS
SELECT * FROM public.saga WHERE ended_at IS NOT NULL;

CREATE TABLE aged.saga_history AS
SELECT h.* FROM public.saga_history AS h JOIN aged.saga AS s ON s.id = h.saga_id;

CREATE TABLE aged.outbox AS
SELECT * FROM public.outbox;

-- The id of copy k. The first 48 bits of an id are its time: copies are older than
-- what comes later, and in the order of their numbers.
CREATE FUNCTION aged.copy_of(id text, k bigint) RETURNS text LANGUAGE sql IMMUTABLE AS
$$ SELECT lpad(to_hex(k >> 16), 8, '0') || '-' || lpad(to_hex(k & 65535), 4, '0') || substr(id, 14) $$;
