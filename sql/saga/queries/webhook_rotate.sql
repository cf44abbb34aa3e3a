-- Gives a webhook a new key. The one that signed until now signs on for so long.
-- $1 its name, $2 the new key, $3 seconds for the former one.
UPDATE public.saga_webhook SET key = $2, former_key = key, former_until = now() + make_interval(secs => $3)
WHERE name = $1
