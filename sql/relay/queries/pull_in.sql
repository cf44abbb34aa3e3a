-- A retry or a call that is further ahead than the longest pause was set by a clock that has been
-- set back since: it is due. Whoever is locked is left for the next time, so that this
-- waits for nobody.
-- A receiver may ask for an hour, and the next call of a webhook is up to a day away.
-- $1 shard, $2 number of shards, $3 the longest pause in seconds, $4 rows.
UPDATE public.outbox_parked AS p
   SET next_at = clock_timestamp()
 WHERE p.id IN (SELECT k.id FROM public.outbox_parked AS k
                 WHERE k.state IN ('retry', 'http')
                   AND k.next_at > clock_timestamp() + make_interval(secs =>
                       CASE WHEN k.exchange = 'saga.webhook' THEN 30 * 3600 WHEN k.state = 'http' THEN 3600 + $3 ELSE $3 END)
                   AND ($2::integer = 1 OR public.outbox_shard(k.aggregate_id, $2) = $1::integer)
                 LIMIT $4 FOR UPDATE SKIP LOCKED)
