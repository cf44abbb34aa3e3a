-- A few messages that wait, the oldest first, for who changes them within this transaction.
-- What somebody else has in hand is left to them: put back twice, it would come twice.
-- $1 to $6 as in list.sql, $7 after this id, $8 up to this one, $9 rows.
SELECT q.id
FROM public.inbox_quarantine AS q
WHERE ($1::bigint[] IS NULL OR q.id = ANY ($1))
  AND ($2::text[] IS NULL OR q.state = ANY ($2))
  AND ($3::text[] IS NULL OR q.consumer = ANY ($3))
  AND ($4::text[] IS NULL OR q.code = ANY ($4))
  AND q.received_at <= clock_timestamp() - make_interval(secs => $5)
  AND ($6::text IS NULL OR q.saga_ids @> ARRAY[$6])
  AND q.state IN ('held', 'dead') AND q.id > $7 AND q.id <= $8
ORDER BY q.id
LIMIT $9
FOR UPDATE SKIP LOCKED
