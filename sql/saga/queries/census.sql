-- How many sagas run, by their status, and for how many seconds the most overdue timer
-- has waited; and how many wait for a command to be published. The index on look_at holds just these; what has ended is not read.
SELECT s.type, s.status, s.paused, count(*),
       COALESCE(extract(epoch FROM clock_timestamp() - min(s.wake_at))::float8, 0),
       count(*) FILTER (WHERE jsonb_path_exists(s.waiting, '$.*.held'))
FROM public.saga AS s
WHERE s.look_at IS NOT NULL
GROUP BY s.type, s.status, s.paused
ORDER BY s.type, s.status, s.paused
OFFSET public.saga_hidden()
