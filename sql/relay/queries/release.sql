-- Writes the position for the last time and gives the lease up, so that a standby
-- takes over at once. Parameters as in save.sql, without the lease.
-- $1 shard, $2 epoch, $3 settled, $4 window_end ('' for none), $5 last_id,
-- $6 published id (0 for none), $7 last error ('' for none), $8 the present.
UPDATE public.outbox_position
   SET settled = $3::text::pg_snapshot,
       window_end = NULLIF($4::text, '')::pg_snapshot,
       last_id = CASE WHEN $4::text <> '' THEN $5::bigint END,
       published_id = COALESCE(NULLIF($6::bigint, 0), published_id),
       last_error = NULLIF($7::text, ''),
       holder = NULL,
       lease_until = NULL,
       lease_for = NULL,
       updated_at = clock_timestamp()
 WHERE shard = $1 AND epoch = $2 AND holder IS NOT NULL
   AND public.outbox_expect($8, $3::text::pg_snapshot)
RETURNING parked_version
