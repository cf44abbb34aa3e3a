-- A page of a window whose rows lie close together, which is nearly always: one
-- walk along the primary key. It names no bound on xact, so that no other index
-- can be chosen and each page of a long backlog costs the same; "id + 0" keeps the
-- planner from taking the range for a narrow one, to be fetched whole and sorted.
-- $1 settled, $2 the window's end, $3 after this id, $4 up to this id, $5 rows,
-- $6 shard, $7 number of shards.
SELECT id, event_id, aggregate_type, aggregate_id, type, exchange, routing_key,
       COALESCE(correlation_id, ''), COALESCE(reply_to, ''), content_type,
       headers::text, payload, payload_bytes, created_at,
       CASE WHEN deliver_at > clock_timestamp() AND isfinite(deliver_at) THEN deliver_at END
FROM public.outbox
WHERE id > $3 AND id + 0 <= $4
  AND ($7::integer = 1 OR public.outbox_shard(aggregate_id, $7) = $6::integer)
  AND pg_visible_in_snapshot(xact, $2::text::pg_snapshot)
  AND NOT pg_visible_in_snapshot(xact, $1::text::pg_snapshot)
ORDER BY id
LIMIT $5
