-- The book of migrations: made by the first migration of any line in a schema.
-- One table for all lines, so that one look tells what a database holds.
CREATE TABLE public.saga_migration (
    line       text        NOT NULL,
    version    bigint      NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT saga_migration_pkey PRIMARY KEY (line, version),
    CONSTRAINT saga_migration_version_check CHECK (version > 0)
);
COMMENT ON TABLE public.saga_migration IS
    'Which migrations of which line this schema holds. Each row commits together with its migration.';
COMMENT ON COLUMN public.saga_migration.line IS
    'Line of migrations: outbox, saga, inbox, participant, reservation, hotel or payment.';
COMMENT ON COLUMN public.saga_migration.version IS
    'Number at the front of the migration''s file name.';
COMMENT ON COLUMN public.saga_migration.applied_at IS
    'Start of the transaction that applied it, by the database''s clock.';
