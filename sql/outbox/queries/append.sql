-- Appends all messages in one statement, so that a transaction pays one round trip
-- however many events it has. Message n is element n of each array; every parameter
-- is an array's text, which any driver can send. The ids rise in the arrays' order:
-- the ORDER BY makes that a promise and not luck. An empty text is an id to be drawn,
-- or what the message does not have. Bytes are written in hex, \x in front, so that
-- none at all is another text than no bytes.
--
-- The announcement rides along: $14 is the channel to ring, empty for none. It must
-- never fail the commit, as a NOTIFY does once a session somewhere in the cluster has
-- stopped listening to its notifications and the server's queue of them is full.
WITH appended AS (
    INSERT INTO public.outbox
           (event_id, aggregate_type, aggregate_id, type, exchange, routing_key,
            correlation_id, reply_to, content_type, headers, payload, payload_bytes, deliver_at)
    SELECT coalesce(nullif(m.event_id, '')::uuid, gen_random_uuid()),
           m.aggregate_type, m.aggregate_id, m.type, m.exchange, m.routing_key,
           nullif(m.correlation_id, ''), nullif(m.reply_to, ''), m.content_type, m.headers::json,
           nullif(m.payload, '')::jsonb, nullif(m.payload_bytes, '')::bytea, nullif(m.deliver_at, '')::timestamptz
      FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[],
                  $7::text[], $8::text[], $9::text[], $10::text[], $11::text[], $12::text[],
                  $13::text[])
           WITH ORDINALITY
           AS m (event_id, aggregate_type, aggregate_id, type, exchange, routing_key,
                 correlation_id, reply_to, content_type, headers, payload, payload_bytes, deliver_at, place)
     ORDER BY m.place
)
SELECT pg_notify($14::text, '')
 WHERE $14::text <> '' AND pg_notification_queue_usage() < 0.5;
