-- How many parked messages match, by state and reason. Parameters $1 to $8 as in
-- parked_list.sql.
SELECT p.state, COALESCE(p.reason, '') AS reason, count(*) AS messages, COALESCE(min(p.parked_at) FILTER (WHERE isfinite(p.parked_at)), clock_timestamp()) AS oldest_parked_at
FROM public.outbox_parked AS p
WHERE ($1::bigint[] IS NULL OR p.id = ANY ($1))
  AND ($2::text[] IS NULL AND p.state <> 'discarded' OR p.state = ANY ($2))
  AND ($3::text[] IS NULL OR p.reason = ANY ($3))
  AND ($4::text IS NULL OR p.aggregate_id = $4)
  AND ($5::text IS NULL OR (SELECT o.type FROM public.outbox AS o WHERE o.id = p.id AND (p.event_id IS NULL OR p.event_id = o.event_id)) = $5)
  AND ($6::text IS NULL OR p.exchange = $6)
  AND ($7::text IS NULL OR p.routing_key = $7)
  AND p.parked_at <= clock_timestamp() - make_interval(secs => $8)
GROUP BY 1, 2
ORDER BY 1, 2
