-- The newest sagas first (ids of version 7 rise with time), of one status ($1) and
-- type ($2) if given.
SELECT o.id::text, o.type, o.business_key, o.status, o.steps, o.waits_for, o.next_wake,
       extract(epoch FROM o.age)::bigint AS age_seconds, o.reason, o.definition_version, o.version,
       o.started_at, o.updated_at, o.ended_at
FROM public.saga_overview o
WHERE ($1::text = '' OR o.status = $1::text) AND ($2::text = '' OR o.type = $2::text)
ORDER BY o.id DESC
LIMIT $3::integer
