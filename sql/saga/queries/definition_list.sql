-- Every stored version, with the number of sagas that still run on it. Only the
-- running and parked ones are counted: those that ended do not hold a version.
SELECT d.name, d.version, jsonb_array_length(d.spec -> 'steps') AS steps, d.hash, d.created_at,
       (SELECT count(*) FROM public.saga s
        WHERE s.type = d.name AND s.definition_version = d.version
          AND s.status IN ('STARTED', 'ABORTING', 'PARKED')) AS running
FROM public.saga_definition d
ORDER BY d.name, d.version
