-- What one saga waits for.
SELECT coalesce(w.step, '') AS step, coalesce(w.operation, '') AS operation, coalesce(w.attempt, 0) AS attempt, w.waits_for,
       coalesce(w.why, '') AS why, w.since, w.until
FROM public.saga_waits w
WHERE w.saga_id = $1::uuid
ORDER BY w.place
OFFSET public.saga_hidden()
