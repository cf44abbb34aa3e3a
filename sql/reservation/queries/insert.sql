-- Inserts nothing when the idempotency key is known already. The statement waits
-- for a transaction that is just inserting the same key, so afterwards the key's
-- row is either ours or committed and readable. The saga is started next, by this
-- database's clock.
INSERT INTO public.reservation
    (id, hotel_id, room_id, guest_id, start_date, end_date, payment_due, card_token, card_last4, idempotency_key, request_fingerprint,
     saga_id)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
ON CONFLICT ON CONSTRAINT reservation_idempotency_key_once DO NOTHING
RETURNING clock_timestamp()
