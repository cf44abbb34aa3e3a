-- Sagas that wait for an operator's decision, and what to decide about. Database with sagas.
SELECT id, type, business_key, steps, waits_for, reason, updated_at AS parked_at
FROM public.saga_overview
WHERE status = 'PARKED'
ORDER BY updated_at;
