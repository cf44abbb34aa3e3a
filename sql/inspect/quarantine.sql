-- Messages that a consumer could not process and set aside, newest first. Any
-- database with an inbox. Empty is good. The bodies are left out: they are
-- business data.
SELECT consumer, queue, message_id, code, reason, deliveries, exchange, routing_key, received_at, last_received_at
FROM public.inbox_quarantine
WHERE state = 'held'
ORDER BY received_at DESC
LIMIT 100;
