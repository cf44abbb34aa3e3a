-- One parked message with everything that is known of it, as far as it can be shown: it may be
-- parked for what it holds. The payload comes only where
-- it is asked for, because it may hold personal data.
-- $1 id, $2 with the payload.
SELECT p.id, p.state, COALESCE(p.reason, '') AS reason, COALESCE(p.error, '') AS error, p.attempts,
       CASE WHEN isfinite(p.parked_at) THEN p.parked_at ELSE clock_timestamp() END AS parked_at,
       CASE WHEN isfinite(p.tried_at) THEN p.tried_at END AS tried_at, CASE WHEN isfinite(p.next_at) THEN p.next_at END AS next_at, COALESCE(p.note, '') AS note,
       COALESCE(o.type, '') AS type, p.aggregate_id, p.exchange, p.routing_key,
       COALESCE(o.event_id::text, '') AS event_id, COALESCE(o.aggregate_type, '') AS aggregate_type,
       COALESCE(o.correlation_id, '') AS correlation_id, COALESCE(o.reply_to, '') AS reply_to,
       COALESCE(o.content_type, '') AS content_type,
       COALESCE((SELECT json_object_agg(h.key, h.value #>> '{}')
                 FROM json_each(CASE WHEN json_typeof(o.headers) = 'object' THEN o.headers ELSE '{}' END) AS h), '{}') AS headers,
       CASE WHEN isfinite(o.created_at) THEN o.created_at END AS created_at,
       CASE WHEN isfinite(o.deliver_at) THEN o.deliver_at END AS deliver_at,
       COALESCE(octet_length(o.payload::text), octet_length(o.payload_bytes), 0) AS payload_size,
       CASE WHEN $2::boolean THEN COALESCE(convert_to(o.payload::text, 'UTF8'), o.payload_bytes) END AS payload,
       CASE WHEN p.state = 'waiting' THEN
           (SELECT min(f.id) FROM public.outbox_parked AS f
            WHERE f.aggregate_id = p.aggregate_id AND f.state IN ('retry', 'waiting', 'dead') AND f.id < p.id)
           END AS waits_for,
       CASE WHEN p.state IN ('retry', 'waiting', 'dead') THEN
           (SELECT count(*) FROM public.outbox_parked AS f
            WHERE f.aggregate_id = p.aggregate_id AND f.state IN ('retry', 'waiting', 'dead') AND f.id > p.id)
           ELSE 0 END AS behind
FROM public.outbox_parked AS p
LEFT JOIN public.outbox AS o ON o.id = p.id AND (p.event_id IS NULL OR p.event_id = o.event_id)
WHERE p.id = $1
