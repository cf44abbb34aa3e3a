-- See the function: what it is for, and why it is one.
-- $1 present, $2 settled, $3 the window's end, $4 after this id, $5 up to this id, $6 rows,
-- $7 shard, $8 number of shards.
SELECT id, event_id, aggregate_type, aggregate_id, type, exchange, routing_key, correlation_id, reply_to, content_type,
       headers, payload, payload_bytes, created_at, later
FROM public.outbox_page($1, $2::text::pg_snapshot, $3::text::pg_snapshot, $4, $5, $6, $7, $8)
