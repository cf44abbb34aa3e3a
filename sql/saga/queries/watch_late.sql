-- How many courses are late, by who is missing. The condition on due_at, which the view does
-- not show, leads along the index past all that are in time.
SELECT o.type, missing.service, count(*)::bigint AS courses
FROM public.saga_watch AS w
JOIN public.saga_watched AS o ON o.id = w.id AND o.type = w.type
CROSS JOIN LATERAL unnest(o.missing) AS missing (service)
WHERE w.due_at < now()
GROUP BY o.type, missing.service
ORDER BY o.type, missing.service
OFFSET public.saga_hidden()
