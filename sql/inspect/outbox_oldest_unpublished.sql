-- How far behind the relay is, and why. Any database with an outbox.
-- The number to alert on is oldest_age.
SELECT pending, oldest_age, published_id, holder, lease_left, last_error
FROM public.outbox_lag;
