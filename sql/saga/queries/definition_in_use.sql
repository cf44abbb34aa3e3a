-- The versions that running sagas follow. Reads the index saga_wake's part of the
-- table only; parked sagas are checked when something happens to them.
SELECT DISTINCT s.type, s.definition_version
FROM public.saga s
WHERE s.status IN ('STARTED', 'ABORTING')
ORDER BY s.type, s.definition_version
