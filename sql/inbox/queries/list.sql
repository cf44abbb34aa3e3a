-- The messages that match, the newest first, without what may be large.
-- $1 ids, $2 states, $3 consumers, $4 codes: null leaves it open, but for the states, where
-- it means held and dead. $5 set aside at least so many seconds ago, $6 about this
-- saga, null for any, $7 rows.
SELECT q.id, q.consumer, q.queue, q.state, q.code, q.reason, COALESCE(q.message_id, '') AS message_id,
       COALESCE(q.properties ->> 'type', '') AS type, q.deliveries, q.tries, q.retry_at, q.received_at, q.last_received_at, q.handled_at, COALESCE(q.handled_by, '') AS handled_by, COALESCE(q.note, '') AS note
FROM public.inbox_quarantine AS q
WHERE ($1::bigint[] IS NULL OR q.id = ANY ($1))
  AND ($2::text[] IS NULL AND q.state IN ('held', 'dead') OR q.state = ANY ($2))
  AND ($3::text[] IS NULL OR q.consumer = ANY ($3))
  AND ($4::text[] IS NULL OR q.code = ANY ($4))
  AND q.received_at <= clock_timestamp() - make_interval(secs => $5)
  AND ($6::text IS NULL OR q.saga_ids @> ARRAY[$6])
ORDER BY q.id DESC
LIMIT $7
