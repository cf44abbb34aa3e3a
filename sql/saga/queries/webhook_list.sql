-- The webhooks, with what waits for each. No keys.
SELECT w.name, w.url, w.created_at, w.disabled_at, w.disabled_why, w.former_until,
       (SELECT count(*) FROM public.outbox_parked AS k
         WHERE k.exchange = 'saga.webhook' AND k.routing_key = w.name AND k.state IN ('http', 'scheduled')) AS waiting,
       (SELECT count(*) FROM public.outbox_parked AS k
         WHERE k.exchange = 'saga.webhook' AND k.routing_key = w.name AND k.state = 'http_dead') AS dead,
       c.at AS last_call, c.status AS last_status, c.error AS last_error
FROM public.saga_webhook AS w
LEFT JOIN LATERAL (SELECT l.at, l.status, l.error FROM public.saga_webhook_call AS l
                    WHERE l.webhook = w.name ORDER BY l.id DESC LIMIT 1) AS c ON true
ORDER BY w.name
