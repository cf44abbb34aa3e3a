-- For metrics: when the oldest message behind a shard's position was appended, at one
-- small cost whatever waits. It is looked for among the first rows behind the position
-- alone, and that is where it is when the relay stands still. Each branch walks an
-- index from its start and stops; which rows count is decided outside of it, because a
-- condition that skips rows inside would let it walk on for millions. One shard at a
-- time: the planner takes many for work that is worth compiling.
-- The branches are the rows that the window does not see, those of transactions that
-- ran when it ended, and the rest of the window itself.
-- $1 shard, $2 rows to look at, in each branch.
WITH p AS MATERIALIZED (
    SELECT q.settled, coalesce(q.window_end, q.settled) AS seen, q.last_id,
           (SELECT count(*)::integer FROM public.outbox_position) AS shards
    FROM public.outbox_position AS q
    WHERE q.shard = $1
)
SELECT min(r.created_at) FILTER (WHERE isfinite(r.created_at))
FROM p
CROSS JOIN LATERAL (
    (SELECT o.xact, o.created_at, o.aggregate_id FROM public.outbox AS o
      WHERE o.xact >= pg_snapshot_xmax(p.seen) ORDER BY o.xact LIMIT $2)
    UNION ALL
    (SELECT o.xact, o.created_at, o.aggregate_id FROM public.outbox AS o
      WHERE o.xact = ANY (ARRAY(SELECT pg_snapshot_xip(p.seen))) LIMIT $2)
    UNION ALL
    (SELECT o.xact, o.created_at, o.aggregate_id FROM public.outbox AS o
      WHERE o.id > p.last_id ORDER BY o.id LIMIT $2)
) AS r
WHERE NOT pg_visible_in_snapshot(r.xact, p.settled)
  AND public.outbox_shard(r.aggregate_id, p.shards) = $1
