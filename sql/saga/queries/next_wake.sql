-- Microseconds until the next timer is due, by the database's clock; NULL if none
-- is set. One probe of the index saga_wake.
SELECT (extract(epoch FROM min(s.wake_at) - clock_timestamp()) * 1000000)::bigint
FROM public.saga s
WHERE s.status IN ('STARTED', 'ABORTING') AND s.id <> ALL ($1::uuid[])
