-- Sets messages aside, or writes down one more failed attempt. What an operator has
-- discarded in the meantime stays so. An entry of another row that had the id before is
-- replaced. The time in which it is tried begins at parked_at:
-- with its first failure, and not while it waited for another or for its hour.
-- $1 id, $2 aggregate_id, $3 exchange, $4 routing_key, $5 state, $6 reason, $7 error,
-- $8 attempts, $9 seconds until the next one, $10 time when it is due, $11 event_id,
-- $12 whether its receiver has had the message: arrays, element n of each is message n.
INSERT INTO public.outbox_parked AS p
       (id, event_id, aggregate_id, exchange, routing_key, state, reason, error, attempts, next_at, tried_at, accepted_at)
SELECT m.id, m.event_id, m.aggregate_id, m.exchange, m.routing_key, m.state, nullif(m.reason, ''), nullif(m.error, ''), m.attempts,
       CASE WHEN m.state IN ('retry', 'http') THEN clock_timestamp() + make_interval(secs => m.delay)
            WHEN m.state = 'scheduled' THEN m.due END,
       CASE WHEN m.attempts > 0 THEN clock_timestamp() END,
       CASE WHEN m.accepted THEN clock_timestamp() END
  FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
              $8::integer[], $9::float8[], $10::timestamptz[], $11::uuid[], $12::boolean[])
       AS m (id, aggregate_id, exchange, routing_key, state, reason, error, attempts, delay, due, event_id, accepted)
ON CONFLICT (id) DO UPDATE
   SET event_id = excluded.event_id, aggregate_id = excluded.aggregate_id,
       exchange = excluded.exchange, routing_key = excluded.routing_key,
       state = excluded.state, reason = excluded.reason, error = excluded.error,
       attempts = excluded.attempts, next_at = excluded.next_at, tried_at = excluded.tried_at,
       accepted_at = CASE WHEN p.event_id = excluded.event_id AND excluded.accepted_at IS NOT NULL
                          THEN coalesce(p.accepted_at, excluded.accepted_at) ELSE excluded.accepted_at END,
       parked_at = CASE WHEN p.attempts = 0 OR p.event_id <> excluded.event_id
                        THEN excluded.parked_at ELSE p.parked_at END
 WHERE p.state <> 'discarded' OR p.event_id <> excluded.event_id
