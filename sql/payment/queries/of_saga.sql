-- What a saga ($1) was charged and given back; no row of one that never paid. The token
-- of the card is nobody else's business. A saga has one charge at most.
SELECT c.id::text, c.amount AS charged, coalesce(r.amount, 0) AS refunded, c.card_last4, c.created_at AS charged_at, r.created_at AS refunded_at
FROM public.ledger AS c
LEFT JOIN public.ledger AS r ON r.saga_id = c.saga_id AND r.kind = 'REFUND'
WHERE c.saga_id = $1 AND c.kind = 'CHARGE'
