-- See the function: what it is for, and why it is one.
-- $1 settled, $2 rows, $3 shard, $4 number of shards.
SELECT id, event_id, aggregate_type, aggregate_id, type, exchange, routing_key, correlation_id, reply_to,
       content_type, headers, payload, payload_bytes, created_at, later, window_end::text
FROM public.outbox_news($1::text::pg_snapshot, $2, $3, $4)
