-- Enters the barrier for one operation that is no command: $1 saga, $2 step, $3 operation.
SELECT e.run, coalesce(e.answer, '') AS answer
FROM public.saga_barrier_enter($1::uuid, $2::text, $3::text) AS e
OFFSET public.saga_barrier_hidden()
