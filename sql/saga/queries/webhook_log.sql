-- The last calls of a webhook, or of all, newest first.
-- $1 its name, empty for all; $2 how many.
SELECT c.at, c.webhook, c.event_id, c.type, c.attempt, c.took_ms, c.status, c.error, c.delivered
FROM public.saga_webhook_call AS c
WHERE $1::text = '' OR c.webhook = $1
ORDER BY c.id DESC
LIMIT $2
