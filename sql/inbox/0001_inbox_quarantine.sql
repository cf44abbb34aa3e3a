-- Where a consumer sets aside the messages that it cannot process. The row is
-- written in the same transaction as the work of the message's neighbours, and
-- the message is acknowledged after the commit: it is in the queue or here.
--
--   held ─► retried: put back, by itself or by somebody
--    ▲  └─► dead: not by itself any more; somebody retries or discards it
--    └───── it comes again, and fails again

CREATE TABLE public.inbox_quarantine (
    id               bigint      GENERATED ALWAYS AS IDENTITY,
    consumer         text        NOT NULL,
    queue            text        NOT NULL,
    message_id       text,
    state            text        NOT NULL DEFAULT 'dead',
    code             text        NOT NULL,
    reason           text        NOT NULL,
    exchange         text        NOT NULL,
    routing_key      text        NOT NULL,
    properties       jsonb       NOT NULL,
    headers          jsonb       NOT NULL,
    body             bytea       NOT NULL,
    message_sha256   bytea       NOT NULL,
    deliveries       bigint      NOT NULL DEFAULT 1,
    tries            integer     NOT NULL DEFAULT 0,
    retry_at         timestamptz,
    received_at      timestamptz NOT NULL DEFAULT now(),
    last_received_at timestamptz NOT NULL DEFAULT now(),
    handled_at       timestamptz,
    handled_by       text,
    note             text,
    -- Whatever of a message names its saga, also where the rest is not as it has to be. No
    -- longer than an id, because an index takes no long text.
    saga_ids         text[]      GENERATED ALWAYS AS (array_remove(ARRAY[
        lower(left(headers ->> 'cloudEvents_sagaid', 36)),
        lower(left(headers ->> 'cloudEvents_sagakey', 36)),
        lower(left(properties ->> 'correlation_id', 36))], NULL)) STORED,
    CONSTRAINT inbox_quarantine_pkey PRIMARY KEY (id),
    -- All of the message is part of the key: another one under a used id must not be
    -- lost. Messages without an id are each kept.
    CONSTRAINT inbox_quarantine_message_key UNIQUE (consumer, message_id, message_sha256),
    CONSTRAINT inbox_quarantine_consumer_given CHECK (consumer <> ''),
    CONSTRAINT inbox_quarantine_state_known CHECK (state IN ('held', 'dead', 'retried', 'discarded')),
    -- What is held has its next try: nothing waits for nobody.
    CONSTRAINT inbox_quarantine_held_until CHECK ((state = 'held') = (retry_at IS NOT NULL)),
    -- It is a label of metrics, so it has few values: see pkg/inbox.
    CONSTRAINT inbox_quarantine_code_known CHECK (code IN ('undecodable', 'unknown', 'unexpected', 'failing', 'dead-letter', 'other')),
    CONSTRAINT inbox_quarantine_handled_by_somebody CHECK (state IN ('held', 'dead') OR handled_at IS NOT NULL AND handled_by <> ''),
    CONSTRAINT inbox_quarantine_reason_given CHECK (reason <> ''),
    CONSTRAINT inbox_quarantine_message_id_given CHECK (message_id <> ''),
    CONSTRAINT inbox_quarantine_deliveries_positive CHECK (deliveries > 0),
    CONSTRAINT inbox_quarantine_tries_not_negative CHECK (tries >= 0),
    CONSTRAINT inbox_quarantine_order_of_times CHECK (last_received_at >= received_at)
);

-- What waits is few beside what was handled, and is looked at every few seconds: the first
-- index has what is counted, the second what is due. The others have what may be forgotten.
CREATE INDEX inbox_quarantine_waiting ON public.inbox_quarantine (consumer, state, code, received_at) WHERE state IN ('held', 'dead');
CREATE INDEX inbox_quarantine_due ON public.inbox_quarantine (consumer, retry_at) WHERE state = 'held';
CREATE INDEX inbox_quarantine_dead ON public.inbox_quarantine (consumer, last_received_at) WHERE state = 'dead';
CREATE INDEX inbox_quarantine_handled ON public.inbox_quarantine (consumer, handled_at) WHERE state IN ('retried', 'discarded');
-- For who looks at one saga.
CREATE INDEX inbox_quarantine_saga ON public.inbox_quarantine USING gin (saga_ids);

COMMENT ON TABLE  public.inbox_quarantine IS 'Messages that a consumer could not process, with the reason and all that is needed to put them back as they were.';
COMMENT ON COLUMN public.inbox_quarantine.state IS 'held: it is tried again by itself at retry_at. dead: it waits for an operator. retried: it was put back into its queue. discarded: it was given up. One that comes again is held or dead again.';
COMMENT ON COLUMN public.inbox_quarantine.tries IS 'How often it was tried again: put back into its queue, by itself or by somebody, or refused by the broker.';
COMMENT ON COLUMN public.inbox_quarantine.retry_at IS 'When it is put back by itself, by the clock of the database; NULL where it is not. What is further ahead than the longest pause, an hour, is due.';
COMMENT ON COLUMN public.inbox_quarantine.code IS 'Kind of the reason: undecodable, unknown, unexpected, failing, dead-letter, other.';
COMMENT ON COLUMN public.inbox_quarantine.handled_at IS 'When it was retried or discarded last.';
COMMENT ON COLUMN public.inbox_quarantine.handled_by IS 'Who retried or discarded it last.';
COMMENT ON COLUMN public.inbox_quarantine.note IS 'Why it was retried or discarded last, in the words of who did it.';
COMMENT ON COLUMN public.inbox_quarantine.saga_ids IS 'The saga that the message is about, as its headers and its correlation id name it: ask with saga_ids @> ARRAY[''<id>'']. Several where they differ.';
COMMENT ON COLUMN public.inbox_quarantine.id IS 'Number of the row, in the order of arrival.';
COMMENT ON COLUMN public.inbox_quarantine.consumer IS 'Name of the consumer that set the message aside.';
COMMENT ON COLUMN public.inbox_quarantine.queue IS 'Queue from which the message came, and to which it can be put back.';
COMMENT ON COLUMN public.inbox_quarantine.message_id IS 'AMQP message_id; NULL where the message had none. Bytes that text cannot hold are escaped.';
COMMENT ON COLUMN public.inbox_quarantine.reason IS 'Why, for people: the field that is wrong, or the error of the handler.';
COMMENT ON COLUMN public.inbox_quarantine.exchange IS 'Exchange through which the message came; empty is the default exchange.';
COMMENT ON COLUMN public.inbox_quarantine.routing_key IS 'Routing key with which the message came.';
COMMENT ON COLUMN public.inbox_quarantine.properties IS 'Every AMQP property that the message had. Text that JSON in PostgreSQL cannot hold is {"string64": base64}.';
COMMENT ON COLUMN public.inbox_quarantine.headers IS 'Every header with its AMQP type: text, true, null and lists as such, all else as {"int32": 5}, {"table": {…}} and so on.';
COMMENT ON COLUMN public.inbox_quarantine.body IS 'The body, byte for byte.';
COMMENT ON COLUMN public.inbox_quarantine.message_sha256 IS 'SHA-256 of properties, headers and body; with consumer and message_id it recognises a message that comes again.';
COMMENT ON COLUMN public.inbox_quarantine.deliveries IS 'How often the message was set aside: more than 1 where it was put back, and after a crash between commit and ack.';
COMMENT ON COLUMN public.inbox_quarantine.received_at IS 'When it was set aside first, by the clock of the database.';
COMMENT ON COLUMN public.inbox_quarantine.last_received_at IS 'When it was set aside last.';
