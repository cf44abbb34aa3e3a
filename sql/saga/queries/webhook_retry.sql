-- Calls a webhook at once with all that it was not told. Returns how many messages there are.
-- $1 its name, $2 note.
SELECT public.outbox_parked_retry(ARRAY(SELECT k.id FROM public.outbox_parked AS k
    WHERE k.exchange = 'saga.webhook' AND k.routing_key = $1 AND k.state IN ('http', 'http_dead')), $2::text)
