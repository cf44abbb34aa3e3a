-- A destination that refused messages has taken one: the others need not wait for
-- their time. A receiver that has one already and is asked for its answer said itself when.
-- Those of other shards are their holders': two relays that wrote each other's rows
-- could wait for one another. A million at once would take longer than the lease, so
-- there is a limit: each of these that is taken brings the next ones.
-- $1 exchanges, $2 routing keys: element n of each is one destination; $3 shard,
-- $4 number of shards.
UPDATE public.outbox_parked AS p
   SET next_at = clock_timestamp()
  FROM unnest($1::text[], $2::text[]) AS d (exchange, routing_key)
 CROSS JOIN LATERAL (
       SELECT k.id FROM public.outbox_parked AS k
        WHERE k.state IN ('retry', 'http') AND k.accepted_at IS NULL AND k.exchange = d.exchange AND k.routing_key = d.routing_key
          AND k.next_at > clock_timestamp()
          AND ($4::integer = 1 OR public.outbox_shard(k.aggregate_id, $4) = $3::integer)
        ORDER BY k.next_at LIMIT 1000) AS soon
 WHERE p.id = soon.id
