-- What the hotel shows of a saga's ($1) booking; no row of one that never booked.
SELECT id::text, hotel_id, room_id, lower(stay) AS first_night, upper(stay) AS departure, state, created_at, released_at
FROM public.booking
WHERE saga_id = $1
