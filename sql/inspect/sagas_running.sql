-- Sagas that have not ended, oldest first, and what each waits for. Database with sagas.
-- Those that have ended have no look_at, so that they are not read.
SELECT o.id, o.type, o.business_key, o.status, o.steps, o.waits_for, o.next_wake, o.age, o.reason
FROM public.saga_orchestrated o
JOIN public.saga s ON s.id = o.id
WHERE s.look_at IS NOT NULL
ORDER BY s.started_at
LIMIT 100;
