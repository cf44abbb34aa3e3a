-- What `relay status` shows: outbox_lag with the ages as seconds.
SELECT pending,
       COALESCE(extract(epoch FROM oldest_age), 0)::float8,
       COALESCE(published_id, 0),
       COALESCE(holder, ''),
       COALESCE(extract(epoch FROM lease_left), 0)::float8,
       COALESCE(last_error, '')
FROM public.outbox_lag
