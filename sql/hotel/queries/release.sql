-- Releases what these sagas ($1) booked and nothing else; no row of one that holds
-- nothing.
UPDATE public.booking
SET state = 'RELEASED', released_at = now()
WHERE saga_id = ANY ($1::uuid[]) AND state = 'ACTIVE'
