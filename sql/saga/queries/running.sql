-- How many sagas run, counted up to $1 along the index saga_look. Those that were
-- PARKED or paused at the last look, at infinity, wait for somebody and do not count.
SELECT count(*)
FROM (SELECT FROM public.saga s WHERE s.look_at < 'infinity' ORDER BY s.look_at LIMIT $1::integer) AS running
OFFSET public.saga_hidden()
