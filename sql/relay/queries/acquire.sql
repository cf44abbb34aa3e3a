-- Takes a shard's lease if no other holds it, and raises the epoch, which ends whatever
-- an earlier holder still tries to write. The database's clock decides, but for a lease
-- that has been seen unchanged for its own length: that one is void, because the clock
-- was set back after it was written. Who
-- was cut off from the database takes its own lease back without waiting for its
-- end. A log whose numbers another database gave, or that is not in service,
-- is refused; why it was refused is asked with standing.sql.
-- $1 shard, $2 holder, $3 lease in seconds, $4 a void lease as standing.sql gives it, ''
-- for none.
UPDATE public.outbox_position AS p
   SET holder = $2,
       epoch = p.epoch + 1,
       lease_until = clock_timestamp() + make_interval(secs => $3),
       lease_for = make_interval(secs => $3),
       written_in = public.outbox_database(),
       timeline = public.outbox_timeline(),
       timeline_changed_at = CASE WHEN p.timeline <> public.outbox_timeline() THEN clock_timestamp() ELSE p.timeline_changed_at END,
       updated_at = clock_timestamp()
 WHERE p.shard = $1
   AND (p.holder IS NULL OR p.holder = $2 OR p.lease_until <= clock_timestamp()
        OR p.epoch || ' ' || extract(epoch FROM p.lease_until) = $4)
   AND public.outbox_in_service()
   AND NOT public.outbox_is_foreign()
RETURNING p.epoch, p.settled::text, COALESCE(p.window_end::text, ''), COALESCE(p.last_id, 0),
          (SELECT count(*)::integer FROM public.outbox_position), public.outbox_present(),
          COALESCE((SELECT f.timeline FROM public.outbox_position AS f WHERE f.shard = $1 AND f.timeline <> p.timeline), 0),
          public.outbox_service(),
          -- Whether another held it by the database's clock.
          COALESCE((SELECT f.holder <> $2 AND f.lease_until > clock_timestamp() FROM public.outbox_position AS f WHERE f.shard = $1), false)
