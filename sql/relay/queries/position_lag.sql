-- For metrics: how far the shards are, from their positions alone, and the time to
-- compare clocks by.
SELECT p.shard, clock_timestamp(), p.updated_at,
       pg_snapshot_xmax(pg_current_snapshot())::text::bigint - pg_snapshot_xmax(p.settled)::text::bigint
FROM public.outbox_position AS p
ORDER BY p.shard
