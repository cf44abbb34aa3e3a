-- Says why a shard that nobody holds is not taken. It is for people, who may have no other
-- way to hear of it, and disturbs no holder. A log that came by a dump is left as it came:
-- that this row was written elsewhere is how it is known.
-- $1 shard, $2 the reason.
UPDATE public.outbox_position
   SET last_error = $2
 WHERE shard = $1 AND (holder IS NULL OR lease_until <= clock_timestamp())
   AND last_error IS DISTINCT FROM $2
   AND NOT public.outbox_is_foreign()
