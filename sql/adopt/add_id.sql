-- The order of insertion. PostgreSQL numbers the rows that are there in the order in
-- which they lie, and rewrites the table: readers and writers wait until that is done.
ALTER TABLE :table ADD COLUMN outbox_id bigint GENERATED ALWAYS AS IDENTITY;
COMMENT ON COLUMN :table.outbox_id IS 'Order of insertion, for the relay.';
