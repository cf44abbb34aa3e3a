-- Sets one message aside. A message that comes again after a crash between
-- commit and ack hits the unique constraint and is only counted. One row a
-- statement: two copies within one batch could not update the same row in one.
INSERT INTO public.inbox_quarantine AS q
       (consumer, queue, message_id, reason, exchange, routing_key, properties, headers, body, message_sha256)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
ON CONFLICT ON CONSTRAINT inbox_quarantine_message_key DO UPDATE
   SET deliveries = q.deliveries + 1,
       last_received_at = greatest(now(), q.received_at)
