-- For metrics: how far the shards are, at one small cost whatever waits. The oldest
-- message is looked for among the first rows behind the position alone, and that is
-- where it is when the relay stands still. Each branch walks an index from its start
-- and stops; which rows count is decided outside of it, because a condition that
-- skips rows inside would let it walk on for millions.
-- Rows that the window does not see, rows of transactions that ran when it ended, and
-- the rest of the window itself.
-- $1 rows to look at, in each branch.
SELECT p.shard,
       clock_timestamp(),
       p.updated_at,
       pg_snapshot_xmax(pg_current_snapshot())::text::bigint - pg_snapshot_xmax(p.settled)::text::bigint,
       w.oldest
FROM public.outbox_position AS p
CROSS JOIN (SELECT count(*)::integer AS shards FROM public.outbox_position) AS n
CROSS JOIN LATERAL (SELECT coalesce(p.window_end, p.settled) AS seen) AS s
CROSS JOIN LATERAL (
    SELECT min(r.created_at) AS oldest
    FROM (
        (SELECT o.xact, o.created_at, o.aggregate_id FROM public.outbox AS o
          WHERE o.xact >= pg_snapshot_xmax(s.seen) ORDER BY o.xact LIMIT $1)
        UNION ALL
        (SELECT o.xact, o.created_at, o.aggregate_id FROM public.outbox AS o
          WHERE o.xact = ANY (ARRAY(SELECT pg_snapshot_xip(s.seen))) LIMIT $1)
        UNION ALL
        (SELECT o.xact, o.created_at, o.aggregate_id FROM public.outbox AS o
          WHERE o.id > p.last_id ORDER BY o.id LIMIT $1)
    ) AS r
    WHERE NOT pg_visible_in_snapshot(r.xact, p.settled)
      AND public.outbox_shard(r.aggregate_id, n.shards) = p.shard
) AS w
ORDER BY p.shard
