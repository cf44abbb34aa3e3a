-- How many messages wait, and for how long the oldest has, by consumer, state and kind of
-- reason. The index inbox_quarantine_waiting has all of it.
SELECT q.consumer, q.state, q.code, count(*) AS messages,
       GREATEST(extract(epoch FROM clock_timestamp() - min(q.received_at)), 0)::float8 AS oldest_seconds
FROM public.inbox_quarantine AS q
WHERE q.state IN ('held', 'dead')
GROUP BY 1, 2, 3
ORDER BY 1, 2, 3
