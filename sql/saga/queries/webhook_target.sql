-- Where a webhook is called, and the keys that sign now.
-- $1 its name.
SELECT w.url, w.key, CASE WHEN w.former_until > now() THEN w.former_key END, w.disabled_why
FROM public.saga_webhook AS w
WHERE w.name = $1
