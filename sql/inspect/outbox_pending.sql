-- What waits to be published, oldest first. Any database with an outbox.
-- Empty is good; rows that stay are a relay or a broker that is down.
SELECT id, created_at, waiting, type, about, destination, event_id
FROM public.outbox_overview
WHERE state = 'pending'
ORDER BY id
LIMIT 100;
