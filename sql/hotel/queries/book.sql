-- Books a room for each of several wishes, and says of each whether there is such a
-- room, whether it is open, and the booking's id: null where the room is closed or an
-- active stay overlaps.
--
-- FOR SHARE: no room can be closed between this look and the booking; two bookings do
-- not wait for each other here. LATERAL finds one room after the other by its key. DO NOTHING instead of the error 23P01: a refusal leaves
-- the transaction usable, and of two that insert at the same time one waits for the
-- other instead of both deadlocking. Of wishes that overlap, the earlier stay is
-- inserted first, then the earlier wish. Everybody inserting by room and first night,
-- two transactions with several stays each cannot wait for one another: who waits in a
-- room has left those before it, and in the same room his own stays lie before the one
-- that he waits for.
-- $1 to $5 saga, hotel, room, first night and day of departure of each wish.
WITH wish AS MATERIALIZED (
    SELECT w.saga_id, w.hotel_id, w.room_id, daterange(w.first_night, w.departure, '[)') AS stay, w.place
    FROM unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::date[], $5::date[])
         WITH ORDINALITY AS w (saga_id, hotel_id, room_id, first_night, departure, place)
), found AS MATERIALIZED (
    SELECT w.hotel_id, w.room_id, r.open
    FROM (SELECT DISTINCT w.hotel_id, w.room_id FROM wish AS w ORDER BY w.hotel_id, w.room_id) AS w
    CROSS JOIN LATERAL (
        SELECT r.open FROM public.room AS r WHERE r.hotel_id = w.hotel_id AND r.room_id = w.room_id FOR SHARE
    ) AS r
), booked AS (
    INSERT INTO public.booking (saga_id, hotel_id, room_id, stay)
    SELECT w.saga_id, w.hotel_id, w.room_id, w.stay
    FROM wish AS w
    JOIN found AS r ON r.hotel_id = w.hotel_id AND r.room_id = w.room_id
    WHERE r.open
    ORDER BY w.hotel_id, w.room_id, lower(w.stay), w.place
    ON CONFLICT ON CONSTRAINT booking_no_overlap DO NOTHING
    RETURNING saga_id, id
)
SELECT r.room_id IS NOT NULL AS known, coalesce(r.open, false) AS open, b.id
FROM wish AS w
LEFT JOIN found AS r ON r.hotel_id = w.hotel_id AND r.room_id = w.room_id
LEFT JOIN booked AS b ON b.saga_id = w.saga_id
ORDER BY w.place
