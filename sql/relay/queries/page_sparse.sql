-- A page of a window whose rows lie far apart: a transaction that ran for hours
-- has committed and its rows are strewn among millions of published ones, which a
-- walk along the primary key would all visit. The ids come from the index on
-- xact; "id + 0" keeps the planner from walking the primary key after all.
-- $1 settled, $2 the window's end, $3 after this id, $4 up to this id, $5 rows,
-- $6 shard, $7 number of shards.
WITH w AS MATERIALIZED (
    SELECT $1::text::pg_snapshot AS settled, $2::text::pg_snapshot AS ends
), ids AS MATERIALIZED (
    SELECT r.id FROM (
        SELECT o.id, o.aggregate_id FROM public.outbox AS o, w
        WHERE o.xact >= (SELECT pg_snapshot_xmax(w.settled) FROM w)
          AND o.xact < (SELECT pg_snapshot_xmax(w.ends) FROM w)
          AND pg_visible_in_snapshot(o.xact, w.ends)
        UNION ALL
        SELECT o.id, o.aggregate_id FROM public.outbox AS o, w
        WHERE o.xact = ANY (ARRAY(SELECT pg_snapshot_xip(w.settled) FROM w))
          AND pg_visible_in_snapshot(o.xact, w.ends)
    ) AS r
    WHERE r.id + 0 > $3 AND r.id + 0 <= $4
      AND ($7::integer = 1 OR public.outbox_shard(r.aggregate_id, $7) = $6::integer)
    ORDER BY r.id + 0
    LIMIT $5
)
SELECT o.id, o.event_id, o.aggregate_type, o.aggregate_id, o.type, o.exchange, o.routing_key,
       COALESCE(o.correlation_id, ''), COALESCE(o.reply_to, ''), o.content_type,
       o.headers::text, o.payload, o.payload_bytes, o.created_at,
       CASE WHEN o.deliver_at > clock_timestamp() AND isfinite(o.deliver_at) THEN o.deliver_at END
FROM ids JOIN public.outbox AS o USING (id)
ORDER BY o.id
