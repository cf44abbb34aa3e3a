-- Writes the position and renews the lease in one statement, so that a flowing
-- log needs no other renewal. No row means that the epoch has passed to another
-- relay: this one must stop. An expired lease that nobody took is still its own.
-- $1 epoch, $2 settled, $3 window_end ('' for none), $4 last_id, $5 published id
-- (0 for none), $6 last error ('' for none), $7 lease in seconds.
UPDATE public.outbox_position
   SET settled = $2::text::pg_snapshot,
       window_end = NULLIF($3::text, '')::pg_snapshot,
       last_id = CASE WHEN $3::text <> '' THEN $4::bigint END,
       published_id = COALESCE(NULLIF($5::bigint, 0), published_id),
       last_error = NULLIF($6::text, ''),
       lease_until = clock_timestamp() + make_interval(secs => $7),
       updated_at = clock_timestamp()
 WHERE epoch = $1 AND holder IS NOT NULL
