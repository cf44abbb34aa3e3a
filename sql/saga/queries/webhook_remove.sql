-- Forgets a webhook. What it was not told yet waits in outbox_parked for one of its name.
-- $1 its name.
DELETE FROM public.saga_webhook WHERE name = $1
