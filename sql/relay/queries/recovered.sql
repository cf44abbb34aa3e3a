-- A destination that refused messages has taken one: the others need not wait for
-- their time.
-- $1 exchanges, $2 routing keys: element n of each is one destination.
UPDATE public.outbox_parked AS p
   SET next_at = clock_timestamp()
  FROM unnest($1::text[], $2::text[]) AS d (exchange, routing_key)
 WHERE p.state = 'retry' AND p.next_at > clock_timestamp()
   AND p.exchange = d.exchange AND p.routing_key = d.routing_key
