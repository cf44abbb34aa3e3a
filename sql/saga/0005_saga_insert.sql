-- Starting sagas: the sagas, their first history rows and their first messages. A
-- function, because this is what a caller's own transaction waits for: one statement that
-- writes all three with WITH takes half as long again, most of it for setting itself up.

-- Times are given as seconds from the start, which is now by the database's clock; the
-- clock and not now(), because the caller's transaction may be old, and a deadline counts
-- from the decision. A saga may have ended already: none of its steps was needed, or a
-- condition failed. For look_at see saga/save.sql. For the messages, which are those of
-- all sagas, and the announcement see outbox/append.sql.
CREATE FUNCTION public.saga_insert(
    service text, definition text, definition_version integer, hash text, sagas jsonb,
    event_id text[], aggregate_type text[], aggregate_id text[], type text[], exchange text[], routing_key text[],
    correlation_id text[], reply_to text[], content_type text[], headers text[], payload text[], payload_bytes text[],
    deliver_at text[], channel text, wanted boolean
) RETURNS boolean
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp SET row_security = off AS
$$
#variable_conflict use_variable
DECLARE
    started CONSTANT timestamptz := clock_timestamp();
    owner   text;
    kept    text;
    stored  integer;
BEGIN
    SELECT s.name INTO owner FROM public.saga_service AS s;
    IF owner IS DISTINCT FROM service THEN
        RAISE EXCEPTION 'sagas of the service % cannot be started in a schema of %', service, coalesce('the service ' || owner, 'no service')
            USING ERRCODE = 'check_violation', CONSTRAINT = 'saga_service_is_another',
                  HINT = 'Answers would go to a queue that nobody reads for these sagas. Use the database or the schema of this service, or name the service with the command migrate.';
    END IF;
    SELECT d.hash INTO kept FROM public.saga_definition AS d WHERE d.name = definition AND d.version = definition_version;
    IF kept IS DISTINCT FROM hash THEN
        IF NOT wanted THEN RETURN false; END IF;
        RAISE EXCEPTION 'definition % version % is not stored, or is another one', definition, definition_version
            USING ERRCODE = 'foreign_key_violation', CONSTRAINT = 'saga_definition_stored',
                  HINT = 'Store it with `orchestrator definition apply`.';
    END IF;

    INSERT INTO public.saga (
        id, type, definition_version, status, current_step, step_status, waiting, payload, outputs, failure,
        business_key, webhooks, version, deadline, wake_at, look_at, sent_xact, started_at, updated_at, ended_at)
    SELECT s.id, definition, definition_version, s.status, s.current_step, s.step_status,
           (SELECT coalesce(jsonb_object_agg(w.key, CASE WHEN w.value ? 'wake_in'
                       THEN w.value - 'wake_in' || jsonb_build_object('wake_at',
                            to_char((started + make_interval(secs => (w.value -> 'wake_in')::float8)) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))
                       ELSE w.value END), '{}')
              FROM jsonb_each(s.waiting) AS w),
           s.payload, s.outputs, s.failure, s.business_key, s.webhooks, 1, started + make_interval(secs => s.deadline_in),
           started + make_interval(secs => s.wake_in),
           CASE WHEN NOT s.ended THEN started + make_interval(secs => s.wake_in / 2) END, pg_current_xact_id(),
           started, started, CASE WHEN s.ended THEN started END
      FROM jsonb_to_recordset(sagas) AS s (
           id uuid, status text, current_step text, step_status jsonb, waiting jsonb, payload jsonb, outputs jsonb,
           failure jsonb, business_key text, webhooks text[], deadline_in float8, wake_in float8, ended boolean)
     ORDER BY s.business_key -- who starts the same ones at the same time waits and locks nobody out
        ON CONFLICT ON CONSTRAINT saga_business_key_unique DO NOTHING;
    GET DIAGNOSTICS stored = ROW_COUNT;
    IF stored < jsonb_array_length(sagas) THEN
        IF NOT wanted AND stored = 0 THEN RETURN false; END IF;
        RAISE EXCEPTION 'a saga % was started under the same business key before', definition
            USING ERRCODE = 'unique_violation', CONSTRAINT = 'saga_business_key_unique',
                  HINT = 'It is the saga that was asked for.';
    END IF;

    INSERT INTO public.saga_history (saga_id, seq, at, kind, disposition, to_status, sent, detail)
    SELECT s.id, 1, started, 'start', s.disposition, s.status, s.sent, s.detail
      FROM jsonb_to_recordset(sagas) AS s (id uuid, disposition text, status text, sent text[], detail text);

    INSERT INTO public.outbox (event_id, aggregate_type, aggregate_id, type, exchange, routing_key,
                               correlation_id, reply_to, content_type, headers, payload, payload_bytes, deliver_at)
    SELECT coalesce(nullif(m.event_id, '')::uuid, gen_random_uuid()),
           m.aggregate_type, m.aggregate_id, m.type, m.exchange, m.routing_key,
           nullif(m.correlation_id, ''), nullif(m.reply_to, ''), m.content_type, m.headers::json,
           nullif(m.payload, '')::jsonb, nullif(m.payload_bytes, '')::bytea, nullif(m.deliver_at, '')::timestamptz
      FROM unnest(event_id, aggregate_type, aggregate_id, type, exchange, routing_key, correlation_id, reply_to,
                  content_type, headers, payload, payload_bytes, deliver_at)
           WITH ORDINALITY
           AS m (event_id, aggregate_type, aggregate_id, type, exchange, routing_key, correlation_id, reply_to,
                 content_type, headers, payload, payload_bytes, deliver_at, place)
     ORDER BY m.place;
    IF channel <> '' AND pg_notification_queue_usage() < 0.5 THEN
        PERFORM pg_notify(channel, '');
    END IF;
    RETURN true;
END
$$;
COMMENT ON FUNCTION public.saga_insert(text, text, integer, text, jsonb, text[], text[], text[], text[], text[], text[], text[], text[],
    text[], text[], text[], text[], text[], text, boolean) IS
    'Stores new sagas of a service and of one definition with their first history rows and messages: true. Where exactly this definition is not stored, or a business key is taken, nothing stays written: an error, or false where one saga is not wanted in any case.';
