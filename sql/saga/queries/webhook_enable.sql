-- Calls a webhook again.
-- $1 its name.
UPDATE public.saga_webhook SET disabled_at = NULL, disabled_why = NULL WHERE name = $1
