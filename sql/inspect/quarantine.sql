-- Messages that a consumer could not process and set aside, newest first: held ones are
-- tried again at retry_at, dead ones wait for somebody. Any database with an inbox. Empty is good. The bodies are left out: they are
-- business data.
SELECT consumer, queue, message_id, state, code, reason, tries, retry_at, exchange, routing_key, received_at, last_received_at
FROM public.inbox_quarantine
WHERE state IN ('held', 'dead')
ORDER BY received_at DESC
LIMIT 100;
