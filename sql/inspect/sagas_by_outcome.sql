-- How many sagas ended how, and how long they took, for each hour of the last day.
-- Database with sagas.
SELECT date_trunc('hour', started_at) AS hour,
       type,
       status,
       count(*) AS sagas,
       percentile_disc(0.5)  WITHIN GROUP (ORDER BY ended_at - started_at) AS median,
       percentile_disc(0.99) WITHIN GROUP (ORDER BY ended_at - started_at) AS p99
FROM public.saga
WHERE started_at > now() - interval '1 day'
GROUP BY 1, 2, 3
ORDER BY 1 DESC, 2, 3;
