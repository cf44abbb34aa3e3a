-- Releases what this saga booked and nothing else; no row if it holds nothing.
UPDATE public.booking
SET state = 'RELEASED', released_at = now()
WHERE saga_id = $1 AND state = 'ACTIVE'
