-- Calls a webhook no more. One that is disabled keeps its first reason.
-- $1 its name, $2 why.
UPDATE public.saga_webhook SET disabled_at = coalesce(disabled_at, now()), disabled_why = coalesce(disabled_why, $2)
WHERE name = $1
