-- One message with all that is kept of it. The body comes only where it is asked for,
-- because it may hold personal data.
-- $1 id, $2 with the body.
SELECT q.id, q.consumer, q.queue, q.state, q.code, q.reason, COALESCE(q.message_id, '') AS message_id,
       COALESCE(q.properties ->> 'type', '') AS type, q.deliveries, q.tries, q.retry_at, q.received_at, q.last_received_at, q.handled_at, COALESCE(q.handled_by, '') AS handled_by, COALESCE(q.note, '') AS note,
       q.exchange, q.routing_key, q.properties, q.headers, octet_length(q.body) AS body_size,
       CASE WHEN $2::boolean THEN q.body END AS body
FROM public.inbox_quarantine AS q
WHERE q.id = $1
