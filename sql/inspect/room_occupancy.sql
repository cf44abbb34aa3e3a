-- Who has which room when, from today on. Database of the hotel service.
SELECT r.hotel_id, r.room_id, r.open, b.stay, b.saga_id, b.created_at AS booked_at
FROM public.room r
LEFT JOIN public.booking b
       ON b.hotel_id = r.hotel_id AND b.room_id = r.room_id
      AND b.state = 'ACTIVE' AND upper(b.stay) > current_date
ORDER BY r.hotel_id, r.room_id, b.stay;
