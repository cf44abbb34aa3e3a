-- The inserting transaction, by which the relay finds new rows. The rows that are
-- there get 0, which every snapshot sees, so they count as published. No rewrite:
-- readers and writers wait for a moment.
ALTER TABLE :table ADD COLUMN outbox_xact xid8 NOT NULL DEFAULT '0';
ALTER TABLE :table ALTER COLUMN outbox_xact SET DEFAULT pg_current_xact_id();
COMMENT ON COLUMN :table.outbox_xact IS 'Inserting transaction, for the relay. Never give it a value.';
