-- Whose tables these are. A service is one program or several that share a schema of
-- tables and are one to all others: what is sent to it is sent to its name. Its queues on
-- the broker are called after the name and carry the id, which the broker compares each
-- time that a queue is declared: two services of one name cannot share a queue unnoticed.

CREATE TABLE public.saga_service (
    -- One row at most: what is in this schema belongs to one service.
    singleton boolean     NOT NULL DEFAULT true,
    name      text        NOT NULL,
    id        uuid        NOT NULL DEFAULT gen_random_uuid(),
    named_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT saga_service_pkey PRIMARY KEY (singleton),
    CONSTRAINT saga_service_is_one CHECK (singleton),
    -- A part of queues' names and a word of routing keys, which dots would divide.
    CONSTRAINT saga_service_name_fits CHECK (name ~ '^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$')
);

COMMENT ON TABLE  public.saga_service IS 'The service that this schema belongs to: one row, written when the tables are migrated.';
COMMENT ON COLUMN public.saga_service.singleton IS 'Always true: there is one row at most.';
COMMENT ON COLUMN public.saga_service.name IS 'What others call the service: the destination of its commands, and a part of its queues'' names. To change it, stop its programs, let its queues run empty, and update the row.';
COMMENT ON COLUMN public.saga_service.id IS 'The mark of its queues on the broker. A copy of the database has the same mark, and is not told apart.';
COMMENT ON COLUMN public.saga_service.named_at IS 'When the name was given, by the clock of the database.';
