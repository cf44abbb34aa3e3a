-- One saga's line of the overview, and what it carries.
SELECT o.id::text, o.type, o.business_key, o.status, s.paused, o.steps, o.waits_for, s.wake_at,
       extract(epoch FROM o.age)::bigint AS age_seconds, o.reason, s.definition_version, s.version,
       s.started_at, s.updated_at, s.ended_at, s.payload::text, s.outputs::text
FROM public.saga_orchestrated o
JOIN public.saga s ON s.id = o.id
WHERE o.id = $1::uuid
OFFSET public.saga_hidden()
