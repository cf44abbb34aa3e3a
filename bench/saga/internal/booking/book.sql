-- Inserts nothing when an active stay overlaps. DO NOTHING instead of the error
-- 23P01: the refusal leaves the transaction usable, and of two that insert at the
-- same time one waits for the other instead of both deadlocking.
INSERT INTO public.booking (saga_id, hotel_id, room_id, stay)
VALUES ($1, $2, $3, daterange($4::date, $5::date, '[)'))
ON CONFLICT ON CONSTRAINT booking_no_overlap DO NOTHING
RETURNING id
