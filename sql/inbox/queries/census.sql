-- How many messages wait, and for how long the oldest has, by consumer and kind of reason.
-- The index inbox_quarantine_held has all of it.
SELECT q.consumer, q.code, count(*) AS messages,
       GREATEST(extract(epoch FROM clock_timestamp() - min(q.received_at)), 0)::float8 AS oldest_seconds
FROM public.inbox_quarantine AS q
WHERE q.state = 'held'
GROUP BY 1, 2
ORDER BY 1, 2
