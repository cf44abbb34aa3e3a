SELECT split_part(o.business_key, '-', 1) AS guest, o.status, o.steps, coalesce(o.reason, '') AS reason
FROM public.saga_overview AS o
WHERE o.business_key = ANY ($1::text[])
ORDER BY o.id
