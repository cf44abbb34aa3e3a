-- Writing to the outbox from any language: a function that checks a message as the Go
-- package does and says which field is wrong.

CREATE FUNCTION public.outbox_objection(
    aggregate_type text, aggregate_id text, type text, exchange text, routing_key text,
    payload jsonb, headers jsonb, correlation_id text, reply_to text, content_type text,
    payload_bytes bytea, deliver_at timestamptz,
    OUT field text, OUT reason text
)
    LANGUAGE plpgsql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp AS
$$
#variable_conflict use_variable
DECLARE
    header record;
    headers_size bigint := 0;
    payload_size integer;
BEGIN
    SELECT n.field,
           CASE WHEN coalesce(n.value, '') = '' THEN 'is empty'
                ELSE format('has %s bytes, more than 255', octet_length(n.value)) END
      INTO field, reason
      FROM (VALUES (1, 'aggregate_type', aggregate_type, true),
                   (2, 'aggregate_id',   aggregate_id,   true),
                   (3, 'type',           type,           true),
                   (4, 'exchange',       exchange,       false),
                   (5, 'routing_key',    routing_key,    coalesce(exchange, '') = ''),
                   (6, 'correlation_id', correlation_id, false),
                   (7, 'reply_to',       reply_to,       false),
                   (8, 'content_type',   content_type,   false)) AS n (place, field, value, required)
     WHERE octet_length(n.value) > 255 OR n.required AND coalesce(n.value, '') = ''
     ORDER BY n.place
     LIMIT 1;
    IF FOUND THEN RETURN; END IF;

    field := 'reply_to';
    IF reply_to = 'amq.rabbitmq.reply-to' THEN
        reason := 'direct reply-to needs the publisher''s own channel: name a queue';
        RETURN;
    END IF;

    field := 'content_type';
    IF content_type COLLATE "C" !~ '^[A-Za-z0-9!#$&^_.+-]+/[A-Za-z0-9!#$&^_.+-]+ *(;[ -~]*)?$' THEN
        reason := 'want a media type, for example application/json or application/octet-stream';
        RETURN;
    END IF;

    field := 'headers';
    IF jsonb_typeof(headers) <> 'object' THEN
        reason := 'want a JSON object of strings';
        RETURN;
    END IF;
    FOR header IN SELECT h.key, h.value #>> '{}' AS text, jsonb_typeof(h.value) AS kind FROM jsonb_each(headers) AS h LOOP
        reason := CASE
            WHEN header.key = '' THEN 'the name "" is empty'
            WHEN octet_length(header.key) > 255 THEN format('the name "%s" is longer than 255 bytes', left(header.key, 40))
            WHEN header.kind <> 'string' THEN format('the value of "%s" is not a string', header.key)
            WHEN octet_length(header.text) > 255 THEN format('the value of "%s" is longer than 255 bytes', header.key)
            WHEN left(header.key, 2) IN ('x-', 'X-')
              OR header.key IN ('cloudEvents_id', 'cloudEvents_source', 'cloudEvents_specversion', 'cloudEvents_type',
                                'CC', 'BCC') THEN format('the name "%s" is reserved', header.key)
            END;
        IF reason IS NOT NULL THEN RETURN; END IF;
        headers_size := headers_size + octet_length(header.key) + octet_length(header.text);
    END LOOP;
    IF headers_size > 65536 THEN
        reason := format('have %s bytes together, more than 65536', headers_size);
        RETURN;
    END IF;

    field := 'deliver_at';
    IF deliver_at < '2000-01-01 00:00+00' OR deliver_at >= '10000-01-01 00:00+00' THEN
        reason := 'is not within the years 2000 to 9999, UTC';
        RETURN;
    END IF;

    IF content_type COLLATE "C" ~ '^[^;]*[/+][Jj][Ss][Oo][Nn] *(;|$)' THEN
        field := 'payload_bytes';
        IF payload_bytes IS NOT NULL THEN
            reason := format('is for other content types than %s', content_type);
            RETURN;
        END IF;
        field := 'payload';
        payload_size := octet_length(payload::text);
        reason := CASE
            WHEN payload IS NULL THEN 'is null: the JSON value null is written ''null''::jsonb'
            WHEN payload_size > 1048576 THEN format('has %s bytes, more than 1048576', payload_size)
            WHEN jsonb_path_exists(payload, 'strict $.**{512} ? (@.type() == "object" || @.type() == "array")')
                THEN 'has more than 512 levels of arrays and objects'
            END;
    ELSE
        field := 'payload';
        IF payload IS NOT NULL THEN
            reason := format('is JSON, and the content type is %s: give payload_bytes', content_type);
            RETURN;
        END IF;
        field := 'payload_bytes';
        payload_size := octet_length(payload_bytes);
        reason := CASE
            WHEN payload_bytes IS NULL THEN 'is null: an empty body is written '''''
            WHEN payload_size > 1048576 THEN format('has %s bytes, more than 1048576', payload_size)
            END;
    END IF;
    IF reason IS NULL THEN field := NULL; END IF;
END
$$;
COMMENT ON FUNCTION public.outbox_objection(text, text, text, text, text, jsonb, jsonb, text, text, text, bytea, timestamptz) IS
    'What is wrong with a message: the column and a reason, both null for a message that may be published.';

CREATE FUNCTION public.outbox_append(
    aggregate_type text, aggregate_id text, type text, exchange text, routing_key text,
    payload        jsonb       DEFAULT NULL,
    headers        jsonb       DEFAULT '{}',
    event_id       uuid        DEFAULT NULL,
    correlation_id text        DEFAULT NULL,
    reply_to       text        DEFAULT NULL,
    content_type   text        DEFAULT NULL,
    payload_bytes  bytea       DEFAULT NULL,
    deliver_at     timestamptz DEFAULT NULL
) RETURNS uuid
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp AS
$$
#variable_conflict use_variable
DECLARE
    objection record;
    id uuid := coalesce(nullif(event_id, '00000000-0000-0000-0000-000000000000'), gen_random_uuid());
BEGIN
    exchange       := coalesce(exchange, '');
    routing_key    := coalesce(routing_key, '');
    headers        := coalesce(headers, '{}');
    correlation_id := nullif(correlation_id, '');
    reply_to       := nullif(reply_to, '');
    content_type   := coalesce(nullif(content_type, ''), 'application/json');

    objection := public.outbox_objection(aggregate_type, aggregate_id, type, exchange, routing_key,
                                         payload, headers, correlation_id, reply_to, content_type,
                                         payload_bytes, deliver_at);
    IF objection.reason IS NOT NULL THEN
        RAISE EXCEPTION USING
            ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('outbox message: %s: %s', objection.field, objection.reason),
            TABLE   = 'outbox',
            COLUMN  = objection.field;
    END IF;

    INSERT INTO public.outbox (event_id, aggregate_type, aggregate_id, type, exchange, routing_key,
                               correlation_id, reply_to, content_type, headers, payload, payload_bytes, deliver_at)
    VALUES (id, aggregate_type, aggregate_id, type, exchange, routing_key,
            correlation_id, reply_to, content_type, headers, payload, payload_bytes, deliver_at);
    RETURN id;
END
$$;
COMMENT ON FUNCTION public.outbox_append(text, text, text, text, text, jsonb, jsonb, uuid, text, text, text, bytea, timestamptz) IS
    'Appends a message to the outbox within the running transaction and returns its event id, drawn where none is given. The body is payload where content_type is JSON, as it is by default, else payload_bytes. Refuses what could not be published: error 22023, with the field in the message and in the error''s column name. Call it by parameter names, so that the order does not matter.';
