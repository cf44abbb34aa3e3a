-- Rows by their ids, in the order of those. Columns as in page.sql; a message that is read
-- by its id is due by now.
-- $1 ids.
SELECT o.id, o.event_id, COALESCE(o.aggregate_type, ''), COALESCE(o.aggregate_id, ''),
       COALESCE(o.type, ''), COALESCE(o.exchange, ''), COALESCE(o.routing_key, ''),
       COALESCE(o.correlation_id, ''), COALESCE(o.reply_to, ''), COALESCE(o.content_type, ''),
       COALESCE(o.headers::text, '{}'), o.payload, o.payload_bytes, o.created_at,
       CASE WHEN o.deliver_at > clock_timestamp() THEN o.deliver_at END
FROM unnest($1::bigint[]) WITH ORDINALITY AS i (id, place)
JOIN public.outbox AS o ON o.id = i.id
ORDER BY i.place
