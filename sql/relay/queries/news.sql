-- See the function: what it is for, and why it is one.
-- $1 present, $2 settled, $3 rows, $4 shard, $5 number of shards.
SELECT id, event_id, aggregate_type, aggregate_id, type, exchange, routing_key, correlation_id, reply_to,
       content_type, headers, payload, payload_bytes, created_at, later, window_end::text
FROM public.outbox_news($1, $2::text::pg_snapshot, $3, $4, $5)
