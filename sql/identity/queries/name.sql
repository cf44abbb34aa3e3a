-- Names the service of a schema that has no name yet. One that has keeps it.
-- $1 the name.
INSERT INTO public.saga_service (name) VALUES ($1::text) ON CONFLICT DO NOTHING
