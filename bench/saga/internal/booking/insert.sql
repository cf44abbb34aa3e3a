-- Fails on the constraint reservation_idempotency_key_once when the key is known
-- already. It waits for a transaction that is just inserting the same key, so afterwards
-- the key's row is committed and readable.
INSERT INTO public.reservation
    (id, hotel_id, room_id, guest_id, start_date, end_date, payment_due, card_token, card_last4, idempotency_key, request_fingerprint,
     saga_id)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
