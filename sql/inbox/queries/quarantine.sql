-- Sets one message aside. A message that comes again, after a crash between commit and
-- ack or because it was put back, hits the unique constraint: it is counted, and waits
-- again with what it failed of now; since when and how often it was tried stays. It is dead
-- until hold.sql says otherwise, in the same transaction. One row a statement: two copies
-- within one batch could not update the same row in one.
INSERT INTO public.inbox_quarantine AS q
       (consumer, queue, message_id, code, reason, exchange, routing_key, properties, headers, body, message_sha256)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
ON CONFLICT ON CONSTRAINT inbox_quarantine_message_key DO UPDATE
   SET deliveries = q.deliveries + 1,
       last_received_at = greatest(now(), q.received_at),
       state = 'dead', retry_at = NULL, queue = excluded.queue, code = excluded.code, reason = excluded.reason
RETURNING q.id, q.tries, extract(epoch FROM clock_timestamp() - q.received_at)::float8 AS age
