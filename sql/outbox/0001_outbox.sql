-- The transactional outbox: an insert-only log. A business transaction inserts
-- its events here; the relay reads the log by snapshot difference, publishes,
-- and keeps its place in outbox_position. No row is updated in use, so that a long
-- transaction somewhere in the cluster bloats nothing, and old rows leave by the
-- partition.
--
-- The relay finds rows by xact, so a wrong number there would be a message that is
-- passed over. Nobody is trusted with it: the trigger stamps each row, whoever inserts
-- it and in which way, and a CHECK refuses what the trigger has not seen.

CREATE TABLE public.outbox (
    id             bigint      GENERATED ALWAYS AS IDENTITY,
    xact           xid8        NOT NULL DEFAULT '0',
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
COMMENT ON COLUMN public.outbox.id IS 'Order of insertion, from 1. Rows of one aggregate_id are published in this order. Gaps are rolled back transactions.';
COMMENT ON COLUMN public.outbox.xact IS 'The inserting transaction. The relay finds new rows by it. A trigger sets it; a value that is given counts only in a log that no relay has served in this database, where a dump or a copy is being restored.';
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
CREATE FUNCTION public.outbox_headers_fit(headers json) RETURNS boolean
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS
$$
BEGIN
    RETURN CASE
        WHEN pg_catalog.json_typeof(headers) <> 'object' THEN false
        ELSE (
            SELECT coalesce(pg_catalog.sum(pg_catalog.octet_length(h.key) + pg_catalog.octet_length(h.value #>> '{}')) <= 65536
                            AND pg_catalog.bool_and(pg_catalog.json_typeof(h.value) = 'string'
                                         AND pg_catalog.octet_length(h.value #>> '{}') <= 255
                                         AND pg_catalog.octet_length(h.key) BETWEEN 1 AND 255
                                         AND h.key NOT IN ('CC', 'BCC')), true)
            FROM pg_catalog.json_each(headers) AS h)
        END;
END
$$;
COMMENT ON FUNCTION public.outbox_headers_fit(json) IS
    'True for an object of strings, names and values of at most 255 bytes and of 64 KiB together, without CC and BCC: what an outbox row may carry as headers.';

-- A number that a row brings along is kept in a log that is not in service: while a dump
-- is restored or a copy is made, outbox_rebase still has to know what was published. The log
-- enters service behind a lock that those who keep numbers share, so that each of them sees
-- what holds, if it looks with a snapshot of its own. The setting is for those who move rows,
-- or change one in place. As the owner, because a writer need not see the relay's position.
CREATE FUNCTION public.outbox_service_lock() RETURNS bigint
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp AS
$$ SELECT hashtextextended('outbox', 'public.outbox'::regclass::oid::bigint) $$;
COMMENT ON FUNCTION public.outbox_service_lock() IS
    'Key of the advisory lock that the log enters service under, and that rows share while they keep numbers of their own.';

CREATE FUNCTION public.outbox_keeps_number(xact xid8) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp AS
$$
DECLARE
    in_service boolean := false;
BEGIN
    IF current_setting('outbox.kept_number', true) IN ('any', xact::text) THEN
        RETURN true;
    END IF;
    IF xact < '3' OR current_setting('transaction_isolation') <> 'read committed' THEN
        RETURN false;
    END IF;
    PERFORM pg_advisory_xact_lock_shared(public.outbox_service_lock());
    IF to_regprocedure('public.outbox_in_service()') IS NOT NULL THEN
        EXECUTE 'SELECT public.outbox_in_service()' INTO in_service;
    END IF;
    RETURN NOT in_service;
END
$$;
COMMENT ON FUNCTION public.outbox_keeps_number(xid8) IS
    'Whether a row may have another number than that of the inserting transaction: in a log that no relay has served in this database.';

-- The table's CHECK constraints, in all but form. PostgreSQL parses and compiles the
-- expression of each CHECK anew in every statement, which of one small row cost more
-- than all the rest of its insert; plpgsql keeps what it has compiled. The first
-- invariant that does not hold is reported as PostgreSQL reports a CHECK: code 23514
-- and the constraint's name. As with a CHECK, null violates nothing. Partitions get the
-- trigger when they are attached.
--
-- What passes is stamped with the inserting transaction. A row that is changed keeps its
-- number, and says so to the CHECK that is left.
CREATE FUNCTION public.outbox_check() RETURNS trigger
    LANGUAGE plpgsql AS
$$
DECLARE
    violated CONSTANT text := CASE
        WHEN NEW.id NOT BETWEEN 1 AND 4000000000000000000           THEN 'outbox_id_counts'
        WHEN pg_catalog.octet_length(NEW.aggregate_type) NOT BETWEEN 1 AND 255 THEN 'outbox_aggregate_type_fits'
        WHEN pg_catalog.octet_length(NEW.aggregate_id)   NOT BETWEEN 1 AND 255 THEN 'outbox_aggregate_id_fits'
        WHEN pg_catalog.octet_length(NEW.type)           NOT BETWEEN 1 AND 255 THEN 'outbox_type_fits'
        WHEN pg_catalog.octet_length(NEW.exchange)    > 255                    THEN 'outbox_exchange_fits'
        WHEN pg_catalog.octet_length(NEW.routing_key) > 255                    THEN 'outbox_routing_key_fits'
        -- On the default exchange the routing key is the queue's name.
        WHEN NEW.exchange = '' AND NEW.routing_key = ''             THEN 'outbox_destination_named'
        WHEN pg_catalog.octet_length(NEW.correlation_id) NOT BETWEEN 1 AND 255 THEN 'outbox_correlation_id_fits'
        WHEN pg_catalog.octet_length(NEW.reply_to)       NOT BETWEEN 1 AND 255 THEN 'outbox_reply_to_fits'
        -- A direct reply-to would make the broker close the relay's channel on every
        -- attempt: it needs a consumer on the publishing channel.
        WHEN NEW.reply_to = 'amq.rabbitmq.reply-to'                 THEN 'outbox_reply_to_is_a_queue'
        WHEN pg_catalog.octet_length(NEW.content_type)   NOT BETWEEN 1 AND 255 THEN 'outbox_content_type_fits'
        WHEN (NEW.payload IS NULL) = (NEW.payload_bytes IS NULL)    THEN 'outbox_one_payload'
        -- Bytes without their content type would go out as JSON. For application/json no
        -- regular expression is run; the one that is stands in outbox_objection and in
        -- Go as well.
        WHEN (NEW.payload IS NOT NULL) <> (NEW.content_type = 'application/json'
                OR NEW.content_type COLLATE "C" ~ '^[^;]*[/+][Jj][Ss][Oo][Nn] *(;|$)') THEN 'outbox_payload_as_typed'
        -- A small value is not printed to be measured; compressed, it is not small by much.
        WHEN pg_catalog.octet_length(NEW.payload_bytes) > 1048576
          OR pg_catalog.pg_column_size(NEW.payload) > 8192 AND pg_catalog.octet_length(NEW.payload::text) > 1048576
                                                                    THEN 'outbox_payload_fits'
        -- Infinity is no time that the relay can wait for, or count from.
        WHEN NEW.deliver_at < '2000-01-01 00:00+00'
          OR NEW.deliver_at >= '10000-01-01 00:00+00'               THEN 'outbox_deliver_at_fits'
        WHEN NEW.created_at < '2000-01-01 00:00+00'
          OR NEW.created_at >= '10000-01-01 00:00+00'               THEN 'outbox_created_at_fits'
        -- Nearly all headers are seen to fit by their text, in half the time: printable
        -- ASCII without a backslash stands for itself, and valid JSON it is. A string of
        -- 256 bytes in fewer than 384 would fill the bytes 129 to 256.
        WHEN NEW.headers::text <> '{}'
         AND NOT (NEW.headers::text COLLATE "C" ~ '^[{]("[] !#-[^-~]+": ?"[] !#-[^-~]*"(, ?)?)+[}]$'
                  AND pg_catalog.strpos(NEW.headers::text, 'CC"') = 0
                  AND (pg_catalog.octet_length(NEW.headers::text) < 256
                       OR pg_catalog.octet_length(NEW.headers::text) < 384 AND pg_catalog.strpos(pg_catalog.substr(NEW.headers::text, 129, 128), '"') > 0))
         AND NOT public.outbox_headers_fit(NEW.headers)             THEN 'outbox_headers_fit'
        END;
BEGIN
    IF violated IS NOT NULL THEN
        RAISE EXCEPTION 'new row for relation "%" violates check constraint "%"', TG_TABLE_NAME, violated
            USING ERRCODE = 'check_violation', CONSTRAINT = violated, TABLE = TG_TABLE_NAME, SCHEMA = TG_TABLE_SCHEMA;
    END IF;
    IF NEW.xact = '0' THEN
        NEW.xact := pg_catalog.pg_current_xact_id();
    ELSIF TG_OP = 'INSERT' THEN
        IF NOT public.outbox_keeps_number(NEW.xact) THEN
            NEW.xact := pg_catalog.pg_current_xact_id();
        END IF;
    ELSIF NEW.xact = OLD.xact AND pg_catalog.current_setting('outbox.kept_number', true) IS DISTINCT FROM 'any' THEN
        PERFORM pg_catalog.set_config('outbox.kept_number', NEW.xact::text, true);
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION public.outbox_check() IS
    'Refuses a row of the outbox that could not be published: error 23514, with the name of what it violates. Sets xact to the inserting transaction.';

CREATE TRIGGER outbox_checked BEFORE INSERT OR UPDATE ON public.outbox
    FOR EACH ROW EXECUTE FUNCTION public.outbox_check();
-- Also for what logical replication applies, and with session_replication_role = replica.
ALTER TABLE public.outbox ENABLE ALWAYS TRIGGER outbox_checked;

-- The one CHECK in form too, because it has to hold where triggers are disabled. A row that
-- the trigger has not seen has the number 0, or one that it brought along: it is refused, with
-- whatever else is in it.
ALTER TABLE public.outbox ADD CONSTRAINT outbox_xact_is_stamped
    CHECK (xact = pg_current_xact_id() OR public.outbox_keeps_number(xact));

-- TRUNCATE asks no row trigger. It may not take messages that nobody has published, and not
-- leave behind what is known of the others: their ids may be given again. The lock that it
-- has by now keeps writers out; a snapshot of its own shows what they committed before.
CREATE FUNCTION public.outbox_truncate() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    SET row_security = off AS
$$
DECLARE
    served      CONSTANT boolean := to_regprocedure('public.outbox_unpublished()') IS NOT NULL;
    unpublished bigint;
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'truncate %: the transaction is %, want read committed', TG_TABLE_NAME, current_setting('transaction_isolation')
            USING ERRCODE = 'invalid_transaction_state';
    END IF;
    EXECUTE CASE WHEN served THEN 'SELECT public.outbox_unpublished()'
                 ELSE 'SELECT o.id FROM public.outbox AS o LIMIT 1' END INTO unpublished;
    IF unpublished IS NOT NULL THEN
        RAISE EXCEPTION 'truncate %: message % is not published', TG_TABLE_NAME, unpublished
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  HINT = 'Let the relay publish what is pending, and retry or discard what is parked (relay status, relay parked).';
    END IF;
    IF served THEN
        EXECUTE 'SELECT public.outbox_parked_changed()';
        EXECUTE format('DELETE FROM public.outbox_parked AS k USING %s AS o WHERE k.id = o.id', TG_RELID::regclass);
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION public.outbox_truncate() IS
    'Refuses to empty the outbox while a message is neither published nor discarded: error 55000. Takes what outbox_parked knows of its rows along.';

-- A statement trigger is not handed on to partitions: each has its own.
CREATE TRIGGER outbox_truncated BEFORE TRUNCATE ON public.outbox
    FOR EACH STATEMENT EXECUTE FUNCTION public.outbox_truncate();
ALTER TABLE public.outbox ENABLE ALWAYS TRIGGER outbox_truncated;
CREATE TRIGGER outbox_truncated BEFORE TRUNCATE ON public.outbox_default
    FOR EACH STATEMENT EXECUTE FUNCTION public.outbox_truncate();
ALTER TABLE public.outbox_default ENABLE ALWAYS TRIGGER outbox_truncated;
