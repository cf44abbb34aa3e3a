-- An id that stays the same however often a message is published. PostgreSQL draws one
-- for each row that is there, and rewrites the table: readers and writers wait until
-- that is done.
ALTER TABLE :table ADD COLUMN outbox_event_id uuid NOT NULL DEFAULT gen_random_uuid();
COMMENT ON COLUMN :table.outbox_event_id IS 'AMQP message_id, for the relay.';
