-- Gives the lease up and says why, where the progress could not be written: the position
-- stays as it is.
-- $1 shard, $2 epoch, $3 the reason.
UPDATE public.outbox_position
   SET last_error = $3,
       holder = NULL,
       lease_until = NULL,
       lease_for = NULL,
       updated_at = clock_timestamp()
 WHERE shard = $1 AND epoch = $2 AND holder IS NOT NULL
