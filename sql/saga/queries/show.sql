-- One saga's line of the overview, and what it carries.
SELECT o.id::text, o.type, o.business_key, o.status, o.steps, o.waits_for, o.next_wake,
       extract(epoch FROM o.age)::bigint AS age_seconds, o.reason, o.definition_version, o.version,
       o.started_at, o.updated_at, o.ended_at, s.payload::text, s.outputs::text
FROM public.saga_overview o
JOIN public.saga s ON s.id = o.id
WHERE o.id = $1::uuid
