-- A command from its delivery to its answer in two calls, for participants in other languages:
-- saga_command_take reads the message, asks the barrier and answers what is decided already;
-- saga_command_answer says what came of the work. A participant then moves bytes and does its
-- own work, and nothing else. They need the line outbox when they are called.

-- The JSON is cast here and not by the caller: a caller whose cast fails has no message that it
-- could give up, but one that it gets again for ever. The rules are those of pkg/protocol.
CREATE FUNCTION public.saga_command_objection(message text, content bytea) RETURNS text
LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    m      jsonb;
    h      jsonb;
    body   jsonb;
    reason text;
    -- What cannot be printed, whatever the database's collation says of it.
    control CONSTANT text := '[' || chr(1) || '-' || chr(31) || chr(127) || '-' || chr(159) || ']';
    id      CONSTANT text := '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$';
BEGIN
    BEGIN
        m := message::jsonb;
    EXCEPTION WHEN OTHERS THEN
        RETURN 'properties: cannot be stored as JSON: ' || SQLERRM;
    END;
    h := CASE jsonb_typeof(m -> 'headers') WHEN 'object' THEN m -> 'headers' ELSE '{}' END;
    SELECT f.field || ': ' || CASE
               WHEN jsonb_typeof(f.value) IS DISTINCT FROM 'string' OR f.value = '""' THEN 'is missing, empty or no text'
               WHEN octet_length(f.value #>> '{}') > 255 THEN format('has %s bytes, at most 255 are allowed', octet_length(f.value #>> '{}'))
               WHEN (f.value #>> '{}') COLLATE "C" ~ control THEN 'contains a control character'
               ELSE 'is not a UUID in its canonical lower-case form' END
      INTO reason
      FROM (VALUES (1, 'message_id',              m -> 'message_id',              true),
                   (2, 'reply_to',                m -> 'reply_to',                false),
                   (3, 'cloudEvents_sagaid',      h -> 'cloudEvents_sagaid',      true),
                   (4, 'cloudEvents_sagatype',    h -> 'cloudEvents_sagatype',    false),
                   (5, 'cloudEvents_sagastep',    h -> 'cloudEvents_sagastep',    false),
                   (6, 'cloudEvents_sagaop',      h -> 'cloudEvents_sagaop',      false),
                   (7, 'cloudEvents_sagaattempt', h -> 'cloudEvents_sagaattempt', false),
                   (8, 'cloudEvents_sagakey',     h -> 'cloudEvents_sagakey',     false)) AS f (place, field, value, is_id)
     WHERE jsonb_typeof(f.value) IS DISTINCT FROM 'string' OR f.value = '""'
        OR octet_length(f.value #>> '{}') > 255 OR (f.value #>> '{}') COLLATE "C" ~ control
        OR f.is_id AND ((f.value #>> '{}') COLLATE "C" !~ id OR f.value = '"00000000-0000-0000-0000-000000000000"')
     ORDER BY f.place LIMIT 1;
    IF FOUND THEN RETURN reason; END IF;

    reason := CASE
        WHEN h ->> 'cloudEvents_sagaop' NOT IN ('REQUEST', 'CONFIRM', 'CANCEL')
            THEN format('cloudEvents_sagaop: is %L, want REQUEST, CONFIRM or CANCEL', h ->> 'cloudEvents_sagaop')
        WHEN (h ->> 'cloudEvents_sagaattempt') COLLATE "C" !~ '^[1-9][0-9]{0,9}$' OR (h ->> 'cloudEvents_sagaattempt')::bigint > 2147483647
            THEN format('cloudEvents_sagaattempt: is %L, want a positive decimal number', h ->> 'cloudEvents_sagaattempt')
        WHEN h ->> 'cloudEvents_sagakey' <> concat_ws('/', h ->> 'cloudEvents_sagaid', h ->> 'cloudEvents_sagastep', h ->> 'cloudEvents_sagaop')
            THEN 'cloudEvents_sagakey: says something else than the other headers'
        WHEN coalesce(lower(m ->> 'content_type'), '') COLLATE "C" !~ '^(application/json|[a-z0-9!#$&^_.+-]+/[a-z0-9!#$&^_.+-]*[+]json) *(;.*)?$'
            THEN format('content_type: is %L, want application/json or another that ends in +json', m ->> 'content_type')
        WHEN replace(lower(coalesce(substring(m ->> 'content_type' FROM '(?i)charset *= *"?([^;" ]*)'), 'utf8')), '-', '') <> 'utf8'
            THEN 'content_type: has another charset than UTF-8'
        -- The names of UTF-8 are what Python's kombu says of a text.
        WHEN lower(coalesce(m ->> 'content_encoding', '')) NOT IN ('', 'identity', 'utf-8', 'utf8')
            THEN format('content_encoding: is %L, want none: a body is sent as it is', m ->> 'content_encoding')
        WHEN octet_length(content) > 1048576
            THEN format('body: has %s bytes, at most 1048576 are allowed', octet_length(content))
        END;
    IF reason IS NOT NULL THEN RETURN reason; END IF;

    BEGIN -- of a name that stands twice in an object, the last one counts
        body := convert_from(content, 'UTF8')::jsonb;
    EXCEPTION WHEN OTHERS THEN
        RETURN 'body: cannot be stored as jsonb: ' || SQLERRM;
    END;
    RETURN CASE
        WHEN jsonb_typeof(body) IS DISTINCT FROM 'object' THEN 'body: is not an object'
        WHEN jsonb_typeof(body -> 'payload') <> 'object' THEN 'body: payload is not an object'
        WHEN jsonb_typeof(body -> 'outputs') <> 'object' THEN 'body: outputs is not an object'
        WHEN jsonb_path_exists(body, 'strict $.outputs.* ? (@.type() != "object")', silent => true) THEN 'body: outputs of a step are not an object'
        WHEN jsonb_path_exists(body, 'strict $.**{512} ? (@.type() == "object" || @.type() == "array")')
            THEN 'body: has more than 512 levels of arrays and objects'
        END;
END
$$;

COMMENT ON FUNCTION public.saga_command_objection(text, bytea) IS
    'Why a message is not a command, the field first and no value of the body; null for one that is.';

-- A definer, as outbox_left, because who appends to an outbox needs no right to read how far
-- the relay is.
CREATE FUNCTION public.saga_answers_lie() RETURNS text
LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp SET row_security = off AS $$
BEGIN
    RETURN (SELECT CASE WHEN count(p.holder) FILTER (WHERE p.lease_until > clock_timestamp()) < greatest(count(*), 1)
                        THEN 'no relay publishes it'
                        ELSE 'the relay says: ' || min(p.last_error) END
              FROM public.outbox_position AS p);
END
$$;

COMMENT ON FUNCTION public.saga_answers_lie() IS
    'Why what is appended to the outbox does not leave it now, for everybody who appends to it; null where a relay publishes it.';

CREATE FUNCTION public.saga_command_reply(message jsonb, outcome text, body jsonb) RETURNS void
LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    headers CONSTANT jsonb := (
        SELECT jsonb_object_agg(h.key, h.value) FROM jsonb_each(message -> 'headers') AS h
         WHERE h.key IN ('cloudEvents_sagaid', 'cloudEvents_sagatype', 'cloudEvents_sagastep', 'cloudEvents_sagaop',
                         'cloudEvents_sagaattempt', 'cloudEvents_sagakey'));
BEGIN
    PERFORM public.outbox_append(
        aggregate_type => headers ->> 'cloudEvents_sagatype',
        aggregate_id   => headers ->> 'cloudEvents_sagaid',
        type           => concat_ws('.', headers ->> 'cloudEvents_sagastep', headers ->> 'cloudEvents_sagaop', outcome),
        exchange       => '',
        routing_key    => message ->> 'reply_to',
        payload        => body,
        headers        => headers || jsonb_build_object('cloudEvents_sagaoutcome', outcome),
        -- The same answer to the same message has the same id.
        event_id       => md5((message ->> 'message_id') || '/reply/' || outcome)::uuid,
        correlation_id => headers ->> 'cloudEvents_sagaid',
        content_type   => CASE WHEN outcome IN ('failed', 'retry') THEN 'application/problem+json' ELSE 'application/json' END);
END
$$;

COMMENT ON FUNCTION public.saga_command_reply(jsonb, text, jsonb) IS
    'Appends the answer to a command to the outbox. saga_command_take and saga_command_answer call it.';

CREATE FUNCTION public.saga_command_take(message text, content bytea,
    OUT run boolean, OUT unreadable text, OUT saga uuid, OUT step text, OUT operation text, OUT payload jsonb, OUT outputs jsonb)
LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp SET row_security = off AS $$
#variable_conflict use_variable
DECLARE
    headers jsonb;
    body    jsonb;
    why     text;
    entered record;
BEGIN
    run := false;
    unreadable := public.saga_command_objection(message, content);
    IF unreadable IS NOT NULL THEN RETURN; END IF;
    why := public.saga_answers_lie();
    IF why IS NOT NULL THEN
        RAISE EXCEPTION 'saga_command_take: answers do not leave the outbox of this database, so no commands are taken: %', why
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  HINT = 'Name this database in DATABASE_URLS of a relay that runs; `relay status` says what is the matter. Close the consumer and try again after a pause.';
    END IF;
    headers := message::jsonb -> 'headers';
    body := convert_from(content, 'UTF8')::jsonb;
    saga := headers ->> 'cloudEvents_sagaid';
    step := headers ->> 'cloudEvents_sagastep';
    operation := headers ->> 'cloudEvents_sagaop';
    payload := coalesce(body -> 'payload', '{}');
    outputs := coalesce(body -> 'outputs', '{}');
    SELECT e.run, e.answer, e.body INTO STRICT entered FROM public.saga_barrier_enter(saga, step, operation) AS e;
    run := entered.run;
    IF NOT run THEN
        PERFORM public.saga_command_reply(message::jsonb, entered.answer, entered.body);
    END IF;
END
$$;

COMMENT ON FUNCTION public.saga_command_take(text, bytea) IS
    'Call it first for each delivery, in the transaction of the work, with a JSON text of message_id, reply_to, content_type, content_encoding and headers as they came, and the body. run: set a savepoint, do the work, call saga_command_answer, commit, acknowledge. Not run: commit; reject the message without requeue where unreadable says why it is no command, else acknowledge it: it is answered. Error 55000 where no relay publishes the answers.';

CREATE FUNCTION public.saga_command_answer(message text, outcome text, body jsonb DEFAULT '{}') RETURNS void
LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp SET row_security = off AS $$
#variable_conflict use_variable
DECLARE
    headers CONSTANT jsonb := message::jsonb -> 'headers';
BEGIN
    IF outcome = 'retry' AND body = '{}' THEN
        body := '{"type": "urn:problem:saga:technical", "title": "Technical error, nothing was changed"}';
    END IF;
    PERFORM public.saga_barrier_leave((headers ->> 'cloudEvents_sagaid')::uuid, headers ->> 'cloudEvents_sagastep',
                                      headers ->> 'cloudEvents_sagaop', outcome, body);
    PERFORM public.saga_command_reply(message::jsonb, outcome, body);
END
$$;

COMMENT ON FUNCTION public.saga_command_answer(text, text, jsonb) IS
    'What came of the work that saga_command_take told to run, in the same transaction and with the same message. succeeded (of a REQUEST, with its output), confirmed, compensated; failed with a problem, or retry, after the work was rolled back to the savepoint. Keeps it in the barrier and appends the answer to the outbox.';

CREATE FUNCTION public.saga_command_queue(OUT service text, OUT mark text, OUT queue text, OUT arguments jsonb, OUT dead text, OUT dead_arguments jsonb)
LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp SET row_security = off AS $$
#variable_conflict use_variable
BEGIN
    SELECT s.name, s.id::text INTO service, mark FROM public.saga_service AS s;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'saga_command_queue: the tables belong to no service yet'
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  HINT = 'Run `relay migrate --participant NAME`, or INSERT INTO saga_service (name) VALUES (''NAME'').';
    END IF;
    queue := 'saga.command.' || service;
    dead := 'saga.dead.' || service;
    arguments := jsonb_build_object(
        'x-queue-type', 'quorum', 'x-delivery-limit', 100000, 'x-overflow', 'reject-publish', 'x-dead-letter-exchange', 'saga.dead',
        'x-dead-letter-strategy', 'at-least-once', 'x-dead-letter-routing-key', mark);
    dead_arguments := jsonb_build_object('x-queue-type', 'quorum', 'x-delivery-limit', 1073741824);
END
$$;

COMMENT ON FUNCTION public.saga_command_queue() IS
    'What this service declares on the broker before it consumes: its queue of commands with its arguments, bound to the topic exchange saga.commands by the key service, and the queue of its dead letters, bound to the direct exchange saga.dead by the key mark. All durable.';
