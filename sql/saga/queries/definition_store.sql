-- Stores a version of a definition, unless it is stored already. Two that apply
-- the same version at once: the second waits for the first and then inserts nothing.
INSERT INTO public.saga_definition (name, version, spec, hash)
VALUES ($1::text, $2::integer, $3::text::jsonb, $4::text)
ON CONFLICT ON CONSTRAINT saga_definition_pkey DO NOTHING
