-- The versions that sagas follow which have not ended, and how many: the index saga_look
-- holds them.
SELECT s.type, s.definition_version, count(*)
FROM public.saga s
WHERE s.look_at IS NOT NULL
GROUP BY s.type, s.definition_version
ORDER BY s.type, s.definition_version
OFFSET public.saga_hidden()
