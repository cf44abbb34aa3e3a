-- Appends all messages in one statement, so that a transaction pays one round trip
-- however many events it has. Message n is element n of each array; every parameter
-- is an array's text, which any driver can send. The ids rise in the arrays' order:
-- the ORDER BY makes that a promise and not luck. An empty text is an id to be drawn,
-- or a property that the message does not have.
INSERT INTO public.outbox
       (event_id, aggregate_type, aggregate_id, type, exchange, routing_key,
        correlation_id, reply_to, content_type, headers, payload)
SELECT coalesce(nullif(m.event_id, '')::uuid, gen_random_uuid()),
       m.aggregate_type, m.aggregate_id, m.type, m.exchange, m.routing_key,
       nullif(m.correlation_id, ''), nullif(m.reply_to, ''), m.content_type, m.headers::jsonb, m.payload::jsonb
  FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[],
              $7::text[], $8::text[], $9::text[], $10::text[], $11::text[])
       WITH ORDINALITY
       AS m (event_id, aggregate_type, aggregate_id, type, exchange, routing_key,
             correlation_id, reply_to, content_type, headers, payload, place)
 ORDER BY m.place;
