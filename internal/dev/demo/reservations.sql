SELECT guest_id AS guest, room_id AS room, start_date::text, end_date::text, status, coalesce(failure_reason, '') AS reason
FROM public.reservation
WHERE id::text = ANY ($1::text[])
ORDER BY created_at
