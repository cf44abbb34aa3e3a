-- Every stored version, with the number of sagas that have not ended on it: those
-- that have do not hold a version. They are counted once for all versions, by way of
-- the index saga_look.
SELECT d.name, d.version, jsonb_array_length(d.spec -> 'steps') AS steps, d.hash, d.created_at,
       coalesce(open.sagas, 0) AS running
FROM public.saga_definition d
LEFT JOIN (
    SELECT s.type, s.definition_version, count(*) AS sagas
    FROM public.saga s
    WHERE s.look_at IS NOT NULL
    GROUP BY s.type, s.definition_version
) AS open ON open.type = d.name AND open.definition_version = d.version
ORDER BY d.name, d.version
OFFSET public.saga_hidden()
