-- The newest sagas first (ids of version 7 rise with time), of one status ($1) and
-- type ($2) if given. What has not ended is looked for among what has not ended.
SELECT o.id::text, o.type, o.business_key, o.status, s.paused, o.steps, o.waits_for, s.wake_at,
       extract(epoch FROM o.age)::bigint AS age_seconds, o.reason, s.definition_version, s.version,
       s.started_at, s.updated_at, s.ended_at
FROM public.saga_overview o
JOIN public.saga s ON s.id = o.id
WHERE ($1::text = '' OR s.status = $1::text) AND ($2::text = '' OR s.type = $2::text)
  AND ($1::text NOT IN ('STARTED', 'ABORTING', 'PARKED') OR s.look_at IS NOT NULL)
ORDER BY s.id DESC
LIMIT $3::integer
