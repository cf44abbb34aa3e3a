-- Ties the reservation to the saga that was started for it in this transaction.
UPDATE public.reservation
SET saga_id = $2
WHERE id = $1
