-- What happened to the newest saga, event by event. Database with sagas.
-- For another one put its id in place of the inner query.
SELECT seq, at, elapsed_ms, sentence
FROM public.saga_timeline
WHERE saga_id = (SELECT id FROM public.saga ORDER BY started_at DESC, id DESC LIMIT 1)
ORDER BY seq;
