-- When a message was inserted; the rows that are there get the time of this statement.
-- No rewrite: readers and writers wait for a moment.
ALTER TABLE :table ADD COLUMN outbox_created_at timestamptz NOT NULL DEFAULT now();
COMMENT ON COLUMN :table.outbox_created_at IS 'Start of the inserting transaction, for the relay.';
