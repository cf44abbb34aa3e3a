-- Writes a call down, and takes ten old ones along.
-- $1 webhook, $2 event id, $3 type, $4 attempt, $5 milliseconds, $6 status, $7 error, $8 delivered.
WITH old AS (
    DELETE FROM public.saga_webhook_call AS c
     WHERE c.id IN (SELECT o.id FROM public.saga_webhook_call AS o
                     WHERE o.at < now() - interval '30 days' ORDER BY o.at LIMIT 10))
INSERT INTO public.saga_webhook_call (webhook, event_id, type, attempt, took_ms, status, error, delivered)
VALUES ($1, $2, $3, $4, $5, nullif($6::integer, 0), nullif($7::text, ''), $8)
