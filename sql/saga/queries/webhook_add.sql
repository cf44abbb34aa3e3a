-- A new webhook.
-- $1 its name, $2 URL, $3 key.
INSERT INTO public.saga_webhook (name, url, key) VALUES ($1, $2, $3)
