-- Sagas that need somebody: parked, or overdue. Database with sagas.
-- Empty is good.
SELECT id, type, business_key, status, steps, waits_for, why, since
FROM public.saga_stuck
ORDER BY since DESC NULLS LAST
LIMIT 100;
