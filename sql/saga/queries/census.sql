-- How many sagas run, by their status, and for how many seconds the most overdue timer
-- has waited; and how many have a command that nobody has for now, by what it waits for, as
-- the reasons in package orchestrator and saga_sent begin: the relay, behind a parked
-- message, a consumer, the broker. The index on look_at holds just these; what has ended is not read.
SELECT s.type, s.status, s.paused, count(*),
       COALESCE(extract(epoch FROM clock_timestamp() - min(s.wake_at))::float8, 0),
       count(*) FILTER (WHERE held.reason = 'waits for the relay' OR held.reason LIKE 'waits for a relay%'),
       count(*) FILTER (WHERE held.reason LIKE 'waits behind a parked message%'),
       count(*) FILTER (WHERE held.reason LIKE 'waits for a consumer%' OR held.reason LIKE 'waits for the queue%'),
       count(*) FILTER (WHERE held.reason LIKE 'waits for the broker%')
FROM public.saga AS s
CROSS JOIN LATERAL (SELECT jsonb_path_query_first(s.waiting, '$.*.held.reason') #>> '{}' AS reason) AS held
WHERE s.look_at IS NOT NULL
GROUP BY s.type, s.status, s.paused
ORDER BY s.type, s.status, s.paused
OFFSET public.saga_hidden()
