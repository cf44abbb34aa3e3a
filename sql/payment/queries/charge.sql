-- The barrier lets a saga's command through once; a second CHARGE would be a
-- defect, which the constraint ledger_once_per_saga turns into an error.
INSERT INTO public.ledger (saga_id, kind, amount, card_token, card_last4)
VALUES ($1, 'CHARGE', $2, $3, $4)
RETURNING id
