-- Messages that this transaction has locked, with what is needed to put them back and to
-- judge them. $1 ids.
SELECT q.id, q.code, q.message_id IS NOT NULL AS named, q.tries,
       extract(epoch FROM clock_timestamp() - q.received_at)::float8 AS age,
       q.queue, q.properties, q.headers, q.body
FROM public.inbox_quarantine AS q
WHERE q.id = ANY ($1::bigint[])
ORDER BY q.id
