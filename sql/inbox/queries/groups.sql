-- How many messages match, by consumer and reason, the largest group first. A reason may
-- name what is in one message alone, so the groups are bounded, too.
-- $1 to $6 as in list.sql, $7 groups.
SELECT q.consumer, q.state, q.code, q.reason, count(*) AS messages, min(q.received_at) AS oldest, max(q.last_received_at) AS newest
FROM public.inbox_quarantine AS q
WHERE ($1::bigint[] IS NULL OR q.id = ANY ($1))
  AND ($2::text[] IS NULL AND q.state IN ('held', 'dead') OR q.state = ANY ($2))
  AND ($3::text[] IS NULL OR q.consumer = ANY ($3))
  AND ($4::text[] IS NULL OR q.code = ANY ($4))
  AND q.received_at <= clock_timestamp() - make_interval(secs => $5)
  AND ($6::text IS NULL OR q.saga_ids @> ARRAY[$6])
GROUP BY 1, 2, 3, 4
ORDER BY messages DESC, 1, 2, 3, 4
LIMIT $7
