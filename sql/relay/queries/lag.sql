-- What `relay status` shows: outbox_lag with the ages as seconds, and what is parked.
SELECT l.shard,
       l.pending,
       COALESCE(extract(epoch FROM l.oldest_age), 0)::float8,
       COALESCE(l.published_id, 0),
       COALESCE(l.holder, ''),
       COALESCE(extract(epoch FROM l.lease_left), 0)::float8,
       COALESCE(l.last_error, ''),
       COALESCE(l.void_holder, ''),
       COALESCE(l.timeline, 0),
       l.timeline_changed_at
FROM public.outbox_lag AS l
