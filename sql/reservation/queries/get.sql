-- What a client may see of a reservation.
SELECT id, hotel_id, room_id, guest_id, status, coalesce(failure_reason, '') AS failure_reason
FROM public.reservation
WHERE id = $1
