-- See the function: what it is for, and why it is one.
-- $1 settled, $2 the window's end, $3 after this id, $4 up to this id, $5 rows,
-- $6 shard, $7 number of shards.
SELECT id, event_id, aggregate_type, aggregate_id, type, exchange, routing_key, correlation_id, reply_to, content_type,
       headers, payload, payload_bytes, created_at, later
FROM public.outbox_page_sparse($1::text::pg_snapshot, $2::text::pg_snapshot, $3, $4, $5, $6, $7)
