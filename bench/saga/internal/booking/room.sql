-- Whether the room can be booked at all. FOR SHARE: it cannot be closed between
-- this look and the booking; two bookings do not wait for each other here.
SELECT open
FROM public.room
WHERE hotel_id = $1 AND room_id = $2
FOR SHARE
