-- The lines of the overview of some sagas ($1, ids), in their order; ids that are no
-- sagas are passed over. LIMIT keeps the planner to one saga after the other: the view
-- reads the plan of each.
SELECT o.id::text, o.type, o.business_key, o.status, s.paused, o.steps, o.waits_for, s.wake_at,
       extract(epoch FROM o.age)::bigint AS age_seconds, o.reason, s.definition_version, s.version,
       s.started_at, s.updated_at, s.ended_at
FROM unnest($1::uuid[]) WITH ORDINALITY AS given (id, place)
JOIN public.saga s ON s.id = given.id
CROSS JOIN LATERAL (SELECT v.* FROM public.saga_orchestrated v WHERE v.id = given.id LIMIT 1) AS o
ORDER BY given.place
OFFSET public.saga_hidden()
