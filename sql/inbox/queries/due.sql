-- A few messages of a consumer whose next try has come, those that have waited longest
-- first, for who puts them back within this transaction. What another instance has in hand
-- is left to it. What is further ahead than the longest pause is due as well: the clock was
-- set back.
-- $1 consumer, $2 the longest pause in seconds, $3 rows.
SELECT q.id
FROM public.inbox_quarantine AS q
WHERE q.consumer = $1 AND q.state = 'held'
  AND (q.retry_at <= now() OR q.retry_at > now() + make_interval(secs => $2))
ORDER BY q.retry_at
LIMIT $3
FOR UPDATE SKIP LOCKED
