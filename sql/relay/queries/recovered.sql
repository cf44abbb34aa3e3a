-- A destination that refused messages has taken one: the others need not wait for
-- their time.
-- Those of other shards are their holders': two relays that wrote each other's rows
-- could wait for one another.
-- $1 exchanges, $2 routing keys: element n of each is one destination; $3 shard,
-- $4 number of shards.
UPDATE public.outbox_parked AS p
   SET next_at = clock_timestamp()
  FROM unnest($1::text[], $2::text[]) AS d (exchange, routing_key)
 WHERE p.state = 'retry' AND p.next_at > clock_timestamp()
   AND p.exchange = d.exchange AND p.routing_key = d.routing_key
   AND ($4::integer = 1 OR public.outbox_shard(p.aggregate_id, $4) = $3::integer)
