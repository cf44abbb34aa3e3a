-- Keeps a refusal: a REQUEST that was refused once must not succeed when it is
-- delivered again.
SELECT answer, body FROM public.saga_barrier_refuse($1, $2, $3)
