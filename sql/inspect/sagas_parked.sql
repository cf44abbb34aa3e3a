-- Sagas that wait for an operator's decision, and what to decide about. Database with sagas.
SELECT o.id, o.type, o.business_key, o.steps, o.waits_for, o.reason, s.updated_at AS parked_at
FROM public.saga_orchestrated o
JOIN public.saga s ON s.id = o.id
WHERE s.look_at IS NOT NULL AND s.status = 'PARKED'
ORDER BY s.updated_at;
