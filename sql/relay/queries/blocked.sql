-- The aggregates of a shard whose later messages have to wait.
-- $1 shard, $2 number of shards.
SELECT DISTINCT aggregate_id
FROM public.outbox_parked
WHERE state IN ('retry', 'waiting', 'dead')
  AND ($2::integer = 1 OR public.outbox_shard(aggregate_id, $2) = $1::integer)
