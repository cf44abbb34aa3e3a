-- The barrier as the function that participants in other languages use too:
-- one place decides.
SELECT run, answer, body FROM public.saga_barrier_enter($1, $2, $3)
