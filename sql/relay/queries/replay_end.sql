-- Where a walk along the log ends that begins now, and the time by the clock that its
-- rows are dated with.
SELECT COALESCE((SELECT max(o.id) FROM public.outbox AS o), 0), clock_timestamp()
