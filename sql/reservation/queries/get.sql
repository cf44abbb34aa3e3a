-- What a client may see of a reservation, and its saga, under which the other services
-- know it. NULL: none was started.
SELECT id, hotel_id, room_id, guest_id, status, coalesce(failure_reason, '') AS failure_reason, saga_id
FROM public.reservation
WHERE id = $1
