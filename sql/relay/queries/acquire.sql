-- Takes a shard's lease if no other holds it, and raises the epoch, which ends whatever
-- an earlier holder still tries to write. Only the database's clock decides. Who
-- was cut off from the database takes its own lease back without waiting for its
-- end. A log whose numbers another cluster gave is refused; why it was refused is
-- asked with standing.sql.
-- $1 shard, $2 holder, $3 lease in seconds.
UPDATE public.outbox_position AS p
   SET holder = $2,
       epoch = p.epoch + 1,
       lease_until = clock_timestamp() + make_interval(secs => $3),
       written_in = (SELECT c.system_identifier FROM pg_control_system() AS c),
       updated_at = clock_timestamp()
 WHERE p.shard = $1
   AND (p.holder IS NULL OR p.holder = $2 OR p.lease_until <= clock_timestamp())
   AND NOT public.outbox_is_foreign()
RETURNING p.epoch, p.settled::text, COALESCE(p.window_end::text, ''), COALESCE(p.last_id, 0),
          (SELECT count(*)::integer FROM public.outbox_position)
