-- The versions that sagas follow which have not ended: the index saga_look holds them.
SELECT DISTINCT s.type, s.definition_version
FROM public.saga s
WHERE s.look_at IS NOT NULL
ORDER BY s.type, s.definition_version
OFFSET public.saga_hidden()
