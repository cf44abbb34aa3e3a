-- In how many seconds the next parked message is due, and the version of what
-- operators did. A shard that has none gets null.
-- $1 shard, $2 number of shards, $3 ids in work.
SELECT p.parked_version,
       extract(epoch FROM (SELECT k.next_at - clock_timestamp() FROM public.outbox_parked AS k
                           WHERE k.next_at IS NOT NULL
                             AND ($2::integer = 1 OR public.outbox_shard(k.aggregate_id, $2) = $1::integer)
                             AND k.id <> ALL ($3::bigint[])
                             AND EXISTS (SELECT FROM public.outbox AS o WHERE o.id = k.id AND (k.event_id IS NULL OR k.event_id = o.event_id))
                           ORDER BY k.next_at, k.id LIMIT 1))::float8
FROM public.outbox_position AS p
WHERE p.shard = $1
