-- The reservation that an idempotency key stands for, with the request's
-- fingerprint to compare.
SELECT id, hotel_id, room_id, guest_id, status, coalesce(failure_reason, '') AS failure_reason, request_fingerprint
FROM public.reservation
WHERE idempotency_key = $1
