-- The transactional outbox: an insert-only log. A business transaction inserts
-- its events here; the relay reads the log by snapshot difference, publishes,
-- and keeps its place in outbox_position. No row is ever updated, so that a long
-- transaction somewhere in the cluster bloats nothing, and old rows leave by the
-- partition.

-- +goose Up
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
    CONSTRAINT outbox_pkey PRIMARY KEY (id)
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

-- RabbitMQ's short strings end at 255 bytes, and a longer one closes the whole
-- connection. To the broker CC and BCC are lists of routing keys, and text there makes
-- it close the channel. The log stops at a row that it cannot publish, so none may get in.
-- +goose StatementBegin
CREATE FUNCTION public.outbox_headers_fit(headers json) RETURNS boolean
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS
$$
BEGIN
    RETURN CASE
        WHEN json_typeof(headers) <> 'object' THEN false
        ELSE NOT EXISTS (
            SELECT FROM pg_catalog.json_each(headers) AS h
            WHERE json_typeof(h.value) <> 'string'
               OR octet_length(h.value #>> '{}') > 255
               OR octet_length(h.key) NOT BETWEEN 1 AND 255
               OR h.key IN ('CC', 'BCC'))
        END;
END
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION public.outbox_headers_fit(json) IS
    'True for an object of strings, names and values of at most 255 bytes, without CC and BCC: what an outbox row may carry as headers.';

-- The table's CHECK constraints, in all but form. PostgreSQL parses and compiles the
-- expression of each CHECK anew in every statement, which of one small row cost more
-- than all the rest of its insert; plpgsql keeps what it has compiled. The first
-- invariant that does not hold is reported as PostgreSQL reports a CHECK: code 23514
-- and the constraint's name. As with a CHECK, null violates nothing. Partitions get the
-- trigger when they are attached.
-- +goose StatementBegin
CREATE FUNCTION public.outbox_check() RETURNS trigger
    LANGUAGE plpgsql AS
$$
DECLARE
    violated CONSTANT text := CASE
        WHEN octet_length(NEW.aggregate_type) NOT BETWEEN 1 AND 255 THEN 'outbox_aggregate_type_fits'
        WHEN octet_length(NEW.aggregate_id)   NOT BETWEEN 1 AND 255 THEN 'outbox_aggregate_id_fits'
        WHEN octet_length(NEW.type)           NOT BETWEEN 1 AND 255 THEN 'outbox_type_fits'
        WHEN octet_length(NEW.exchange)    > 255                    THEN 'outbox_exchange_fits'
        WHEN octet_length(NEW.routing_key) > 255                    THEN 'outbox_routing_key_fits'
        -- On the default exchange the routing key is the queue's name.
        WHEN NEW.exchange = '' AND NEW.routing_key = ''             THEN 'outbox_destination_named'
        WHEN octet_length(NEW.correlation_id) NOT BETWEEN 1 AND 255 THEN 'outbox_correlation_id_fits'
        WHEN octet_length(NEW.reply_to)       NOT BETWEEN 1 AND 255 THEN 'outbox_reply_to_fits'
        -- A direct reply-to would make the broker close the relay's channel on every
        -- attempt: it needs a consumer on the publishing channel.
        WHEN NEW.reply_to = 'amq.rabbitmq.reply-to'                 THEN 'outbox_reply_to_is_a_queue'
        WHEN octet_length(NEW.content_type)   NOT BETWEEN 1 AND 255 THEN 'outbox_content_type_fits'
        WHEN (NEW.payload IS NULL) = (NEW.payload_bytes IS NULL)    THEN 'outbox_one_payload'
        -- Bytes without their content type would go out as JSON. For application/json no
        -- regular expression is run; the one that is stands in outbox_objection and in
        -- Go as well.
        WHEN (NEW.payload IS NOT NULL) <> (NEW.content_type = 'application/json'
                OR NEW.content_type COLLATE "C" ~ '^[^;]*[/+][Jj][Ss][Oo][Nn] *(;|$)') THEN 'outbox_payload_as_typed'
        -- Infinity is no time that the relay can wait for.
        WHEN NEW.deliver_at < '2000-01-01 00:00+00'
          OR NEW.deliver_at >= '10000-01-01 00:00+00'               THEN 'outbox_deliver_at_fits'
        -- Nearly all headers are seen to fit by their text, in half the time: printable
        -- ASCII without a backslash stands for itself, and valid JSON it is. A string of
        -- 256 bytes in fewer than 384 would fill the bytes 129 to 256.
        WHEN NEW.headers::text <> '{}'
         AND NOT (NEW.headers::text COLLATE "C" ~ '^[{]("[] !#-[^-~]+": ?"[] !#-[^-~]*"(, ?)?)+[}]$'
                  AND strpos(NEW.headers::text, 'CC"') = 0
                  AND (octet_length(NEW.headers::text) < 256
                       OR octet_length(NEW.headers::text) < 384 AND strpos(substr(NEW.headers::text, 129, 128), '"') > 0))
         AND NOT public.outbox_headers_fit(NEW.headers)             THEN 'outbox_headers_fit'
        END;
BEGIN
    IF violated IS NULL THEN RETURN NEW; END IF;
    RAISE EXCEPTION 'new row for relation "%" violates check constraint "%"', TG_TABLE_NAME, violated
        USING ERRCODE = 'check_violation', CONSTRAINT = violated, TABLE = TG_TABLE_NAME, SCHEMA = TG_TABLE_SCHEMA;
END
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION public.outbox_check() IS
    'Refuses a row of the outbox that could not be published: error 23514, with the name of what it violates.';

CREATE TRIGGER outbox_checked BEFORE INSERT OR UPDATE ON public.outbox
    FOR EACH ROW EXECUTE FUNCTION public.outbox_check();
