-- One saga's history as sentences.
SELECT t.seq, t.at, t.elapsed_ms::float8, t.sentence, coalesce(t.message_id, '') AS message_id
FROM public.saga_timeline t
WHERE t.saga_id = $1::uuid
ORDER BY t.seq
OFFSET public.saga_hidden()
