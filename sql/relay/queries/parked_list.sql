-- A page of the parked messages that match, the newest first: for people, and for what
-- an operator does to many. The page is cut before the messages' rows are looked up,
-- one by one by their key; a message whose row has left the outbox is shown, too.
-- $1 ids, $2 states, $3 reasons, $4 aggregate_id, $5 type, $6 exchange, $7 routing_key:
-- null leaves it open. $8 parked for at least so many seconds, $9 below this id, $10 rows.
WITH page AS MATERIALIZED (
    SELECT p.*
    FROM public.outbox_parked AS p
    WHERE p.id < $9
      AND ($1::bigint[] IS NULL OR p.id = ANY ($1))
      AND ($2::text[] IS NULL AND p.state <> 'discarded' OR p.state = ANY ($2))
      AND ($3::text[] IS NULL OR p.reason = ANY ($3))
      AND ($4::text IS NULL OR p.aggregate_id = $4)
      AND ($5::text IS NULL OR (SELECT o.type FROM public.outbox AS o WHERE o.id = p.id AND (p.event_id IS NULL OR p.event_id = o.event_id)) = $5)
      AND ($6::text IS NULL OR p.exchange = $6)
      AND ($7::text IS NULL OR p.routing_key = $7)
      AND p.parked_at <= clock_timestamp() - make_interval(secs => $8)
    ORDER BY p.id DESC
    LIMIT $10
)
SELECT p.id, p.state, COALESCE(p.reason, '') AS reason, COALESCE(p.error, '') AS error, p.attempts,
       CASE WHEN isfinite(p.parked_at) THEN p.parked_at ELSE clock_timestamp() END AS parked_at,
       CASE WHEN isfinite(p.tried_at) THEN p.tried_at END AS tried_at, CASE WHEN isfinite(p.next_at) THEN p.next_at END AS next_at, COALESCE(p.note, '') AS note,
       COALESCE(m.type, '') AS type, p.aggregate_id, p.exchange, p.routing_key
FROM page AS p
LEFT JOIN LATERAL (SELECT o.type FROM public.outbox AS o WHERE o.id = p.id AND (p.event_id IS NULL OR p.event_id = o.event_id) LIMIT 1) AS m ON true
ORDER BY p.id DESC
