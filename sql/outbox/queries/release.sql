-- Writes the position for the last time and gives the lease up, so that a standby
-- takes over at once. Parameters as in save.sql, without the lease.
UPDATE public.outbox_position
   SET settled = $2::text::pg_snapshot,
       window_end = NULLIF($3::text, '')::pg_snapshot,
       last_id = CASE WHEN $3::text <> '' THEN $4::bigint END,
       published_id = COALESCE(NULLIF($5::bigint, 0), published_id),
       last_error = NULLIF($6::text, ''),
       holder = NULL,
       lease_until = NULL,
       updated_at = clock_timestamp()
 WHERE epoch = $1 AND holder IS NOT NULL
