-- Gives back exactly what this saga was charged, once; no row if there was no
-- charge or the refund is there already.
INSERT INTO public.ledger (saga_id, kind, amount, card_token, card_last4)
SELECT saga_id, 'REFUND', amount, card_token, card_last4
FROM public.ledger
WHERE saga_id = $1 AND kind = 'CHARGE'
ON CONFLICT ON CONSTRAINT ledger_once_per_saga DO NOTHING
