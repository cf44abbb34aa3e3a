-- Writes the position and renews the lease in one statement, so that a flowing
-- log needs no other renewal. No row means that the epoch has passed to another
-- relay: this one must stop. An expired lease that nobody took is still its own.
-- $1 shard, $2 epoch, $3 settled, $4 window_end ('' for none), $5 last_id,
-- $6 published id (0 for none), $7 last error ('' for none), $8 lease in seconds, $9 the present of the
-- server at which the position was loaded: another one is error SG001.
UPDATE public.outbox_position
   SET settled = $3::text::pg_snapshot,
       window_end = NULLIF($4::text, '')::pg_snapshot,
       last_id = CASE WHEN $4::text <> '' THEN $5::bigint END,
       published_id = COALESCE(NULLIF($6::bigint, 0), published_id),
       last_error = NULLIF($7::text, ''),
       lease_until = clock_timestamp() + make_interval(secs => $8),
       lease_for = make_interval(secs => $8),
       updated_at = clock_timestamp()
 WHERE shard = $1 AND epoch = $2 AND holder IS NOT NULL
   AND public.outbox_expect($9, $3::text::pg_snapshot)
RETURNING parked_version
