-- How many of these sagas are under way, or have said what is not published yet.
SELECT count(*) FILTER (WHERE s.ended_at IS NULL AND s.status <> 'PARKED')
     + (SELECT pending FROM public.outbox_lag)
FROM public.saga AS s
WHERE s.business_key = ANY ($1::text[])
