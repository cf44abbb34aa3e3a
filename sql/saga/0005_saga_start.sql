-- Starting a saga: the saga, its first history row and its first messages. A function,
-- because this is what a caller's own transaction waits for: one statement that writes
-- all three with WITH takes half as long again, most of it for setting itself up.

-- +goose Up

-- Times are given as seconds from the start, which is now by the database's clock; the
-- clock and not now(), because the caller's transaction may be old, and a deadline counts
-- from the decision. A saga may have ended already: none of its steps was needed, or a
-- condition failed. For look_at see saga/save.sql. For the messages and the announcement
-- see outbox/append.sql.
-- +goose StatementBegin
CREATE FUNCTION public.saga_start(
    saga jsonb, hash text, waits text[], wake_in float8[],
    disposition text, sent text[], detail text,
    event_id text[], aggregate_type text[], aggregate_id text[], type text[], exchange text[], routing_key text[],
    correlation_id text[], reply_to text[], content_type text[], headers text[], payload text[], payload_bytes text[],
    deliver_at text[], channel text, wanted boolean
) RETURNS text
    LANGUAGE plpgsql AS
$$
#variable_conflict use_variable
DECLARE
    started   CONSTANT timestamptz := clock_timestamp();
    id        CONSTANT uuid := saga ->> 'id';
    wake_at   CONSTANT timestamptz := started + make_interval(secs => (saga ->> 'wake_in')::float8);
    ended_at  CONSTANT timestamptz := CASE WHEN (saga ->> 'ended')::boolean THEN started END;
    waiting   jsonb := saga -> 'waiting';
    kept_hash text;
BEGIN
    SELECT d.hash INTO kept_hash
      FROM public.saga_definition AS d
     WHERE d.name = saga ->> 'type' AND d.version = (saga ->> 'definition_version')::integer;
    IF kept_hash IS DISTINCT FROM hash THEN
        IF NOT wanted THEN RETURN NULL; END IF;
        RAISE EXCEPTION 'definition % version % is not stored, or is another one', saga ->> 'type', saga ->> 'definition_version'
            USING ERRCODE = 'foreign_key_violation', CONSTRAINT = 'saga_definition_stored',
                  HINT = 'Store it with `orchestrator definition apply`.';
    END IF;

    FOR i IN 1 .. cardinality(waits) LOOP
        waiting := jsonb_set(waiting, ARRAY[waits[i], 'wake_at'], to_jsonb(started + make_interval(secs => wake_in[i])));
    END LOOP;
    INSERT INTO public.saga (
        id, type, definition_version, status, current_step, step_status, waiting, payload, outputs, failure,
        business_key, version, deadline, wake_at, look_at, started_at, updated_at, ended_at)
    VALUES (
        id, saga ->> 'type', (saga ->> 'definition_version')::integer, saga ->> 'status', saga ->> 'current_step',
        saga -> 'step_status', waiting, saga -> 'payload', saga -> 'outputs', saga -> 'failure',
        saga ->> 'business_key', 1, started + make_interval(secs => (saga ->> 'deadline_in')::float8), wake_at,
        CASE WHEN ended_at IS NULL THEN started + (wake_at - started) / 2 END, started, started, ended_at)
    ON CONFLICT ON CONSTRAINT saga_business_key_unique DO NOTHING;
    IF NOT FOUND THEN
        IF NOT wanted THEN RETURN NULL; END IF;
        RAISE EXCEPTION 'a saga % was started under the same business key before', saga ->> 'type'
            USING ERRCODE = 'unique_violation', CONSTRAINT = 'saga_business_key_unique',
                  HINT = 'It is the saga that was asked for.';
    END IF;

    INSERT INTO public.saga_history (saga_id, seq, at, kind, disposition, to_status, sent, detail)
    VALUES (id, 1, started, 'start', disposition, saga ->> 'status', sent, detail);

    FOR i IN 1 .. cardinality(event_id) LOOP
        INSERT INTO public.outbox (event_id, aggregate_type, aggregate_id, type, exchange, routing_key,
                                   correlation_id, reply_to, content_type, headers, payload, payload_bytes, deliver_at)
        VALUES (coalesce(nullif(event_id[i], '')::uuid, gen_random_uuid()),
                aggregate_type[i], aggregate_id[i], type[i], exchange[i], routing_key[i],
                nullif(correlation_id[i], ''), nullif(reply_to[i], ''), content_type[i], headers[i]::json,
                nullif(payload[i], '')::jsonb, nullif(payload_bytes[i], '')::bytea, nullif(deliver_at[i], '')::timestamptz);
    END LOOP;
    IF channel <> '' AND pg_notification_queue_usage() < 0.5 THEN
        PERFORM pg_notify(channel, '');
    END IF;
    RETURN id::text;
END
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION public.saga_start(jsonb, text, text[], float8[], text, text[], text, text[], text[], text[], text[], text[],
    text[], text[], text[], text[], text[], text[], text[], text[], text, boolean) IS
    'Stores a new saga with its first history row and messages, and returns its id. Where its business key is taken, or exactly this definition is not stored, nothing is written: null, or an error where a saga is wanted.';
