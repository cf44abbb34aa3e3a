-- Forgets a few old steps. A clock that is fast must not make sagas old: both have to say
-- so, the database's and that of the program.
-- $1 now by the program's clock, $2 for how many seconds sagas are remembered, $3 after this
-- saga, $4 rows.
SELECT f.deleted, f.last
FROM public.saga_barrier_forget(LEAST($1::timestamptz, clock_timestamp()) - make_interval(secs => $2), $3, $4) AS f
OFFSET public.saga_barrier_hidden()
