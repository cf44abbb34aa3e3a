-- Where a walk along the log begins and ends, and the time by the clock that its rows
-- are dated with.
SELECT COALESCE(min(o.id), 0), COALESCE(max(o.id), 0), clock_timestamp()
FROM public.outbox AS o
