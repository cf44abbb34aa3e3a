-- Gives back exactly what each of these sagas ($1) was charged, once; no row of one
-- without a charge or with a refund already.
INSERT INTO public.ledger (saga_id, kind, amount, card_token, card_last4)
SELECT saga_id, 'REFUND', amount, card_token, card_last4
FROM public.ledger
WHERE saga_id = ANY ($1::uuid[]) AND kind = 'CHARGE'
ON CONFLICT ON CONSTRAINT ledger_once_per_saga DO NOTHING
