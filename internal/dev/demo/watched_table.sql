SELECT r.guest_id AS guest, o.status, o.steps, coalesce(o.reason, '') AS reason
FROM public.saga_overview AS o
JOIN public.reservation AS r ON r.id::text = o.business_key
WHERE o.business_key = ANY ($1::text[])
ORDER BY r.created_at
