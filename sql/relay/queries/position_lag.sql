-- For metrics: how far the shards are, from their positions alone, and the time to
-- compare clocks by. An infinite time is none that a client can hold.
SELECT p.shard, clock_timestamp(), CASE WHEN isfinite(p.updated_at) THEN p.updated_at ELSE timestamptz '9999-12-31 00:00:00+00' END,
       pg_snapshot_xmax(pg_current_snapshot())::text::bigint - pg_snapshot_xmax(p.settled)::text::bigint
FROM public.outbox_position AS p
ORDER BY p.shard
