-- The newest reservations with their sagas. Database of the reservation service.
SELECT r.id, r.hotel_id AS hotel, r.room_id AS room, r.guest_id AS guest, r.start_date, r.end_date,
       r.payment_due, r.card_last4, r.status, r.failure_reason, o.status AS saga_status, o.steps
FROM public.reservation r
LEFT JOIN public.saga_overview o ON o.id = r.saga_id
ORDER BY r.created_at DESC, r.id DESC
LIMIT 50;
