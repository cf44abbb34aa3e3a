-- Charges several sagas. The barrier lets a saga's command through once; a second
-- CHARGE would be a defect, which the constraint ledger_once_per_saga turns into an
-- error.
-- $1 to $4 saga, amount, card token and last four digits of each.
INSERT INTO public.ledger (saga_id, kind, amount, card_token, card_last4)
SELECT c.saga_id, 'CHARGE', c.amount, c.card_token, c.card_last4
FROM unnest($1::uuid[], $2::bigint[], $3::text[], $4::text[]) AS c (saga_id, amount, card_token, card_last4)
RETURNING saga_id, id
