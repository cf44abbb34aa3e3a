-- Keeps the output of a REQUEST for the answers to its repetitions.
SELECT public.saga_barrier_succeed($1, $2, $3)
