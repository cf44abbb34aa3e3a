-- Takes the lease if no other holds it, and raises the epoch, which ends whatever
-- an earlier holder still tries to write. Only the database's clock decides. Who
-- was cut off from the database takes its own lease back without waiting for its
-- end. The last two conditions refuse a position that another cluster wrote; why it was
-- refused is asked with standing.sql.
-- $1 holder, $2 lease in seconds.
UPDATE public.outbox_position AS p
   SET holder = $1,
       epoch = p.epoch + 1,
       lease_until = clock_timestamp() + make_interval(secs => $2),
       updated_at = clock_timestamp()
  FROM pg_control_system() AS c
 WHERE (p.holder IS NULL OR p.holder = $1 OR p.lease_until <= clock_timestamp())
   AND p.system_identifier = c.system_identifier
   AND pg_snapshot_xmax(COALESCE(p.window_end, p.settled)) <= pg_snapshot_xmax(pg_current_snapshot())
RETURNING p.epoch, p.settled::text, COALESCE(p.window_end::text, ''), COALESCE(p.last_id, 0)
