-- Charges the card once; a second time is an error of the constraint ledger_once_per_saga.
INSERT INTO public.ledger (saga_id, kind, amount, card_token, card_last4)
VALUES ($1, 'CHARGE', $2, $3, $4)
RETURNING id
