-- Sagas that have not ended, oldest first, and what each waits for. Database with sagas.
SELECT id, type, business_key, status, steps, waits_for, next_wake, age
FROM public.saga_overview
WHERE status NOT IN ('COMPLETED', 'ABORTED')
ORDER BY started_at
LIMIT 100;
