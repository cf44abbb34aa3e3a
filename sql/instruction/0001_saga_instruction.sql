-- Starting and signalling sagas from any language, in the caller's own transaction: functions
-- that append an instruction to the outbox. The orchestrator of the service takes it like a
-- reply. So who calls needs the outbox alone, and a saga can be of another service, in another
-- database. Who has the orchestrator's tables and Go starts them with sagapg.Store.Start,
-- which saves the way there.

CREATE FUNCTION public.saga_instruct(operation text, name text, key text, body jsonb, service text) RETURNS uuid
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp SET row_security = off AS
$$
#variable_conflict use_variable
DECLARE
    own CONSTANT text := (SELECT s.name FROM public.saga_service AS s);
BEGIN
    IF coalesce(key, '') = '' THEN
        RAISE EXCEPTION 'saga %: key: is empty', name USING ERRCODE = 'invalid_parameter_value', COLUMN = 'key',
            HINT = 'The business key names the saga among those of its definition. Asked for twice, it is started once.';
    END IF;
    IF coalesce(service, own) IS NULL THEN
        RAISE EXCEPTION 'saga %: service: is not said', name USING ERRCODE = 'invalid_parameter_value', COLUMN = 'service',
            HINT = 'These tables belong to no service. Say whose saga it is: service => ''orders''.';
    END IF;
    IF service !~ '^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$' THEN
        RAISE EXCEPTION 'saga %: service: is no name of a service', name USING ERRCODE = 'invalid_parameter_value', COLUMN = 'service';
    END IF;
    IF coalesce(service, own) = own THEN
        -- The tables of sagas may be in another database; then nobody can say here what there is.
        IF to_regclass('public.saga_definition') IS NULL THEN
            IF service IS NULL THEN
                RAISE EXCEPTION 'saga %: service: is not said, and the service % has no sagas in this schema', name, own
                    USING ERRCODE = 'invalid_parameter_value', COLUMN = 'service',
                          HINT = 'Say whose saga it is: service => ''orders''.';
            END IF;
        ELSIF NOT EXISTS (SELECT FROM public.saga_definition AS d WHERE d.name = name) THEN
            RAISE EXCEPTION 'saga %: no such definition', name USING ERRCODE = 'foreign_key_violation',
                CONSTRAINT = 'saga_definition_stored', HINT = 'Store it with `orchestrator definition apply`.';
        END IF;
    END IF;
    RETURN public.outbox_append(
        aggregate_type => name, aggregate_id => key, type => name || '.' || operation,
        exchange => '', routing_key => 'saga.replies.' || coalesce(service, own),
        payload => jsonb_build_object('key', key) || body,
        headers => jsonb_build_object('cloudEvents_sagatype', name, 'cloudEvents_sagaop', operation));
END
$$;
COMMENT ON FUNCTION public.saga_instruct(text, text, text, jsonb, text) IS
    'Appends an instruction, START or SIGNAL, to the orchestrator of a service. For saga_start and saga_signal.';

CREATE FUNCTION public.saga_start(name text, key text, payload jsonb DEFAULT '{}', service text DEFAULT NULL) RETURNS uuid
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp AS
$$
BEGIN
    IF jsonb_typeof(payload) IS DISTINCT FROM 'object' THEN
        RAISE EXCEPTION 'saga %: payload: is no JSON object', name USING ERRCODE = 'invalid_parameter_value', COLUMN = 'payload';
    END IF;
    RETURN public.saga_instruct('START', name, key, jsonb_build_object('payload', payload), service);
END
$$;
COMMENT ON FUNCTION public.saga_start(text, text, jsonb, text) IS
    'Starts a saga of the latest version of a definition, as soon as this transaction has committed: once for a key, however often it is called. The service is the one whose saga it is, by default that of this schema. Returns the id of the message. Error 22023 names the parameter that is wrong; 23503 where no such definition is stored, which can be told where the sagas are in this schema. Elsewhere its orchestrator sets the message aside, and tries it again for a day.';

CREATE FUNCTION public.saga_signal(
    name text, key text, step text, output jsonb DEFAULT '{}', refused boolean DEFAULT false,
    reason text DEFAULT NULL, who text DEFAULT NULL, service text DEFAULT NULL
) RETURNS uuid
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp AS
$$
BEGIN
    IF coalesce(step, '') = '' THEN
        RAISE EXCEPTION 'saga %: step: is empty', name USING ERRCODE = 'invalid_parameter_value', COLUMN = 'step';
    END IF;
    IF jsonb_typeof(output) IS DISTINCT FROM 'object' THEN
        RAISE EXCEPTION 'saga %: output: is no JSON object', name USING ERRCODE = 'invalid_parameter_value', COLUMN = 'output';
    END IF;
    RETURN public.saga_instruct('SIGNAL', name, key, jsonb_build_object('step', step, 'output', output,
        'refused', coalesce(refused, false), 'reason', coalesce(reason, ''), 'who', coalesce(who, session_user)), service);
END
$$;
COMMENT ON FUNCTION public.saga_signal(text, text, text, jsonb, boolean, text, text, text) IS
    'Tells a saga, named by its definition and business key, what its signal step waits for, as soon as this transaction has committed: yes with an output, or no, which turns it back. One that comes before its step is kept for it. Who said it stands in the history, by default the user of this session. Errors are those of saga_start.';
