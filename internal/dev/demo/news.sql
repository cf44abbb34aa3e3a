-- The timeline of the demo's sagas, in the order of time.
SELECT s.business_key, t.seq, t.elapsed_ms::float8, t.sentence
FROM public.saga_timeline AS t
JOIN public.saga AS s ON s.id = t.saga_id
WHERE s.business_key = ANY ($1::text[])
ORDER BY t.at, s.business_key, t.seq
