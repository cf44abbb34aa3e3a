-- Reservations that are placed at the same time. Fails on the constraint
-- reservation_idempotency_key_once when a key is known already. It waits for a
-- transaction that is just inserting the same key, so afterwards the key's row is
-- committed and readable.
INSERT INTO public.reservation
    (id, hotel_id, room_id, guest_id, start_date, end_date, payment_due, card_token, card_last4, idempotency_key, request_fingerprint,
     saga_id)
SELECT n.* FROM unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::text[], $5::date[], $6::date[], $7::bigint[], $8::text[], $9::text[],
                       $10::text[], $11::bytea[], $12::uuid[])
       AS n (id, hotel_id, room_id, guest_id, start_date, end_date, payment_due, card_token, card_last4, idempotency_key, request_fingerprint, saga_id)
 ORDER BY n.idempotency_key -- who inserts the same keys at the same time waits and locks nobody out
