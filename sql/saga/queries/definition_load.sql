-- One version of a definition; version 0 asks for the latest.
SELECT d.version, d.spec::text, d.hash
FROM public.saga_definition d
WHERE d.name = $1::text AND $2::integer IN (0, d.version)
ORDER BY d.version DESC
LIMIT 1
OFFSET public.saga_hidden()
