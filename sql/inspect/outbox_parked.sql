-- What could not be published in its turn, and why, the dead first: they need
-- `relay parked retry` or `relay parked discard`. Any database with an outbox.
SELECT p.id, p.state, p.reason, p.error, p.attempts, p.parked_at, p.next_at,
       o.type, p.aggregate_id, p.exchange, p.routing_key, p.note
FROM public.outbox_parked AS p
LEFT JOIN public.outbox AS o ON o.id = p.id
WHERE p.state <> 'discarded'
ORDER BY p.state NOT IN ('dead', 'http_dead'), p.id
LIMIT 100;
