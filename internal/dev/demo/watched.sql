-- What the watcher shows of the demo's reservations, and whether each has ended.
SELECT o.business_key, o.status, o.steps, coalesce(o.reason, '') AS reason, coalesce(o.waits_for, '') AS waits_for
FROM public.saga_overview AS o
WHERE o.business_key = ANY ($1::text[])
ORDER BY o.started_at, o.business_key
