-- The versions that running sagas follow. Reads the part of the table that the index
-- saga_look leads to; parked sagas are checked when something happens to them.
SELECT DISTINCT s.type, s.definition_version
FROM public.saga s
WHERE s.look_at IS NOT NULL AND s.status IN ('STARTED', 'ABORTING')
ORDER BY s.type, s.definition_version
