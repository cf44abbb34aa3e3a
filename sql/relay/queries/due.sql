-- Parked messages that are due, oldest first. Behind one that is tried again come the
-- next ones that wait for it, so that they can follow as soon as it is confirmed: up to
-- the first that is dead or tried by itself, which the rest waits for, or in work. The
-- inner limit is on purpose small: the rows themselves are read next, by rows.sql. Where a row
-- has gone, or another one has its id by now, the message waits here for an operator.
-- $1 shard, $2 number of shards, $3 rows without their followers, $4 ids in work.
WITH due AS MATERIALIZED (
    SELECT p.id, p.aggregate_id, p.state, p.next_at
    FROM public.outbox_parked AS p
    WHERE p.next_at <= clock_timestamp()
      AND ($2::integer = 1 OR public.outbox_shard(p.aggregate_id, $2) = $1::integer)
      AND p.id <> ALL ($4::bigint[])
      AND EXISTS (SELECT FROM public.outbox AS o WHERE o.id = p.id AND (p.event_id IS NULL OR p.event_id = o.event_id))
    ORDER BY p.next_at, p.id
    LIMIT $3
), chain AS MATERIALIZED (
    SELECT d.next_at, d.id AS head, d.id FROM due AS d
    UNION ALL
    SELECT d.next_at, d.id, f.id
    FROM due AS d
    CROSS JOIN LATERAL (
        SELECT w.id, bool_and(w.state = 'waiting' AND w.id <> ALL ($4::bigint[])) OVER (ORDER BY w.id) AS free
        FROM (SELECT b.id, b.state FROM public.outbox_parked AS b
              WHERE b.aggregate_id = d.aggregate_id AND b.id > d.id AND b.state IN ('retry', 'waiting', 'dead')
              ORDER BY b.id LIMIT 16) AS w
    ) AS f
    WHERE d.state = 'retry' AND f.free
)
SELECT p.id, p.event_id, p.aggregate_id, p.exchange, p.routing_key, p.state, COALESCE(p.reason, ''), p.attempts,
       extract(epoch FROM clock_timestamp() - p.parked_at)::float8,
       coalesce(greatest(extract(epoch FROM clock_timestamp() - p.accepted_at), 0), -1)::float8
FROM chain AS c
JOIN public.outbox_parked AS p ON p.id = c.id
WHERE EXISTS (SELECT FROM public.outbox AS o WHERE o.id = p.id AND (p.event_id IS NULL OR p.event_id = o.event_id))
ORDER BY c.next_at, c.head, p.id
