-- How many messages match. $1 to $6 as in list.sql.
SELECT count(*)
FROM public.inbox_quarantine AS q
WHERE ($1::bigint[] IS NULL OR q.id = ANY ($1))
  AND ($2::text[] IS NULL AND q.state IN ('held', 'dead') OR q.state = ANY ($2))
  AND ($3::text[] IS NULL OR q.consumer = ANY ($3))
  AND ($4::text[] IS NULL OR q.code = ANY ($4))
  AND q.received_at <= clock_timestamp() - make_interval(secs => $5)
  AND ($6::text IS NULL OR q.saga_ids @> ARRAY[$6])
