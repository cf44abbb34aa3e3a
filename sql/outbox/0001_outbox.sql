-- The transactional outbox: an insert-only log. A business transaction inserts
-- its events here; the relay reads the log by snapshot difference, publishes,
-- and keeps its place in outbox_position. No row is ever updated, so that a long
-- transaction somewhere in the cluster bloats nothing, and old rows leave by the
-- partition.

-- +goose Up

-- RabbitMQ's short strings end at 255 bytes, and a longer one closes the whole
-- connection. To the broker CC and BCC are lists of routing keys, and text there makes
-- it close the channel. The log stops at a row that it cannot publish, so none may get in.
-- +goose StatementBegin
CREATE FUNCTION public.outbox_headers_fit(headers json) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$
    SELECT CASE
        WHEN json_typeof(headers) <> 'object' THEN false
        ELSE NOT EXISTS (
            SELECT FROM pg_catalog.json_each(headers) AS h
            WHERE json_typeof(h.value) <> 'string'
               OR octet_length(h.value #>> '{}') > 255
               OR octet_length(h.key) NOT BETWEEN 1 AND 255
               OR h.key IN ('CC', 'BCC'))
        END
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION public.outbox_headers_fit(json) IS
    'True for an object of strings, names and values of at most 255 bytes, without CC and BCC: what an outbox row may carry as headers.';

CREATE TABLE public.outbox (
    id             bigint      GENERATED ALWAYS AS IDENTITY,
    xact           xid8        NOT NULL DEFAULT pg_current_xact_id(),
    event_id       uuid        NOT NULL DEFAULT gen_random_uuid(),
    aggregate_type text        NOT NULL,
    aggregate_id   text        NOT NULL,
    type           text        NOT NULL,
    exchange       text        NOT NULL,
    routing_key    text        NOT NULL,
    correlation_id text,
    reply_to       text,
    content_type   text        NOT NULL DEFAULT 'application/json',
    headers        json        NOT NULL DEFAULT '{}',
    payload        jsonb,
    payload_bytes  bytea,
    deliver_at     timestamptz,
    created_at     timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT outbox_pkey PRIMARY KEY (id),
    CONSTRAINT outbox_aggregate_type_fits CHECK (octet_length(aggregate_type) BETWEEN 1 AND 255),
    CONSTRAINT outbox_aggregate_id_fits   CHECK (octet_length(aggregate_id) BETWEEN 1 AND 255),
    CONSTRAINT outbox_type_fits           CHECK (octet_length(type) BETWEEN 1 AND 255),
    CONSTRAINT outbox_exchange_fits       CHECK (octet_length(exchange) <= 255),
    CONSTRAINT outbox_routing_key_fits    CHECK (octet_length(routing_key) <= 255),
    -- On the default exchange the routing key is the queue's name.
    CONSTRAINT outbox_destination_named   CHECK (exchange <> '' OR routing_key <> ''),
    CONSTRAINT outbox_correlation_id_fits CHECK (octet_length(correlation_id) BETWEEN 1 AND 255),
    CONSTRAINT outbox_reply_to_fits       CHECK (octet_length(reply_to) BETWEEN 1 AND 255),
    CONSTRAINT outbox_content_type_fits   CHECK (octet_length(content_type) BETWEEN 1 AND 255),
    CONSTRAINT outbox_headers_fit         CHECK (headers::text = '{}' OR public.outbox_headers_fit(headers)),
    CONSTRAINT outbox_one_payload         CHECK (num_nonnulls(payload, payload_bytes) = 1)
) PARTITION BY RANGE (id);

-- Takes what no other partition takes, so that an insert cannot fail for want of one.
CREATE TABLE public.outbox_default PARTITION OF public.outbox DEFAULT;

-- The rows of a window are found by transaction, and id is in the index so that
-- a window is measured without touching the table.
CREATE INDEX outbox_xact_idx ON public.outbox (xact) INCLUDE (id);

COMMENT ON TABLE public.outbox IS
    'Messages to publish, one row each, inserted in the same transaction as the change they tell of. Never updated. The relay publishes committed rows; outbox_overview shows which are published. Partitions by id are made ahead of need and dropped when published and old.';
COMMENT ON TABLE public.outbox_default IS
    'Partition of outbox for rows that no other partition takes.';
COMMENT ON COLUMN public.outbox.id IS 'Order of insertion. Rows of one aggregate_id are published in this order. Gaps are rolled back transactions.';
COMMENT ON COLUMN public.outbox.xact IS 'The inserting transaction. The relay finds new rows by it. Never give it a value.';
COMMENT ON COLUMN public.outbox.event_id IS 'The event''s id: AMQP message_id and CloudEvents id, the same however often the row is published.';
COMMENT ON COLUMN public.outbox.aggregate_type IS 'Kind of thing the event is about, for example reservation.';
COMMENT ON COLUMN public.outbox.aggregate_id IS 'The thing the event is about: messages of one aggregate_id keep the order of their commits.';
COMMENT ON COLUMN public.outbox.type IS 'The event''s type: AMQP type and CloudEvents type.';
COMMENT ON COLUMN public.outbox.exchange IS 'RabbitMQ exchange; empty means the default exchange.';
COMMENT ON COLUMN public.outbox.routing_key IS 'RabbitMQ routing key; on the default exchange the name of a queue.';
COMMENT ON COLUMN public.outbox.correlation_id IS 'AMQP correlation_id, for example the saga''s id.';
COMMENT ON COLUMN public.outbox.reply_to IS 'AMQP reply_to: the queue that takes the reply.';
COMMENT ON COLUMN public.outbox.content_type IS 'Media type of the payload.';
COMMENT ON COLUMN public.outbox.headers IS 'Application headers: an object of strings, names and values of at most 255 bytes. json, not jsonb: the relay reads each of them once, as text.';
COMMENT ON COLUMN public.outbox.payload IS 'The message''s body where it is JSON.';
COMMENT ON COLUMN public.outbox.payload_bytes IS 'The message''s body where content_type says that it is something else than JSON.';
COMMENT ON COLUMN public.outbox.deliver_at IS 'Not to be published before; null is at once. Keeps no place in its aggregate''s order.';
COMMENT ON COLUMN public.outbox.created_at IS 'Start of the inserting transaction, by the database''s clock.';
