-- One row per saga: where it stands now. How it came there is in saga_history.

-- +goose Up
CREATE TABLE public.saga (
    id                 uuid        NOT NULL,
    type               text        NOT NULL,
    definition_version integer     NOT NULL,
    status             text        NOT NULL,
    current_step       text,
    operation          text,
    attempt            integer,
    step_status        jsonb       NOT NULL,
    payload            jsonb       NOT NULL,
    outputs            jsonb       NOT NULL DEFAULT '{}',
    failure            jsonb,
    park_reason        text,
    business_key       text,
    version            bigint      NOT NULL,
    wake_at            timestamptz,
    started_at         timestamptz NOT NULL,
    updated_at         timestamptz NOT NULL,
    ended_at           timestamptz,
    CONSTRAINT saga_pkey PRIMARY KEY (id),
    CONSTRAINT saga_business_key_unique UNIQUE (type, business_key),
    CONSTRAINT saga_definition_stored FOREIGN KEY (type, definition_version)
        REFERENCES public.saga_definition (name, version),
    CONSTRAINT saga_status_known CHECK (status IN ('STARTED', 'COMPLETED', 'ABORTING', 'ABORTED', 'PARKED')),
    CONSTRAINT saga_version_positive CHECK (version > 0),
    CONSTRAINT saga_business_key_fits CHECK (octet_length(business_key) BETWEEN 1 AND 255),
    -- What is over has an end and waits for nothing; what is not waits for a reply.
    CONSTRAINT saga_terminal_has_ended CHECK ((status IN ('COMPLETED', 'ABORTED')) = (ended_at IS NOT NULL)),
    CONSTRAINT saga_terminal_waits_for_nothing CHECK ((status IN ('COMPLETED', 'ABORTED')) = (current_step IS NULL)),
    CONSTRAINT saga_command_whole
        CHECK ((current_step IS NULL) = (operation IS NULL) AND (current_step IS NULL) = (attempt IS NULL)),
    CONSTRAINT saga_operation_known CHECK (operation IN ('REQUEST', 'CANCEL')),
    CONSTRAINT saga_attempt_positive CHECK (attempt > 0),
    -- A running saga without a deadline would never be looked at again.
    CONSTRAINT saga_running_has_deadline CHECK ((status IN ('STARTED', 'ABORTING')) = (wake_at IS NOT NULL)),
    CONSTRAINT saga_parked_has_reason CHECK ((status = 'PARKED') = (park_reason IS NOT NULL)),
    -- Only what goes back has a reason to; a parked saga may go either way.
    CONSTRAINT saga_abort_has_failure CHECK (status NOT IN ('ABORTING', 'ABORTED') OR failure IS NOT NULL),
    CONSTRAINT saga_forward_has_no_failure CHECK (status NOT IN ('STARTED', 'COMPLETED') OR failure IS NULL),
    CONSTRAINT saga_payload_is_object CHECK (jsonb_typeof(payload) = 'object'),
    CONSTRAINT saga_outputs_is_object CHECK (jsonb_typeof(outputs) = 'object'),
    CONSTRAINT saga_failure_is_object CHECK (jsonb_typeof(failure) = 'object'),
    CONSTRAINT saga_step_status_known CHECK (
        jsonb_typeof(step_status) = 'object'
        AND NOT jsonb_path_exists(step_status, '$.* ? (@.type() != "string"
            || (@ != "STARTED" && @ != "SUCCEEDED" && @ != "FAILED"
                && @ != "COMPENSATING" && @ != "COMPENSATED" && @ != "SKIPPED"))')),
    -- All or nothing: the promise of a saga, as a constraint.
    CONSTRAINT saga_completed_in_effect CHECK (
        status <> 'COMPLETED'
        OR NOT jsonb_path_exists(step_status, '$.* ? (@ != "SUCCEEDED" && @ != "SKIPPED")')),
    CONSTRAINT saga_aborted_not_in_effect CHECK (
        status <> 'ABORTED'
        OR NOT jsonb_path_exists(step_status, '$.* ? (@ == "STARTED" || @ == "SUCCEEDED" || @ == "COMPENSATING")'))
) WITH (fillfactor = 80);

-- Finds the due timers; sagas that ended or are parked are not in it. Since
-- wake_at moves with every step, this index makes those updates "not HOT": each
-- also writes new entries in all three indexes. It is worth that: without it the
-- sweep would read every running saga, and a table of its own for the timers
-- would cost a second row per step. What stays HOT, with room on the page thanks
-- to the fillfactor, is the recording of duplicate and late replies.
CREATE INDEX saga_wake ON public.saga (wake_at) WHERE status IN ('STARTED', 'ABORTING');

COMMENT ON TABLE public.saga IS 'Where each saga stands. For reading, the view saga_overview is kinder.';
COMMENT ON COLUMN public.saga.id IS 'UUID, version 7: rises with time. AMQP correlation_id of its messages.';
COMMENT ON COLUMN public.saga.type IS 'Name of its definition.';
COMMENT ON COLUMN public.saga.definition_version IS 'The version it started with and keeps.';
COMMENT ON COLUMN public.saga.status IS 'STARTED (going forward), COMPLETED, ABORTING (compensating), ABORTED, PARKED (needs an operator).';
COMMENT ON COLUMN public.saga.current_step IS 'Step of the command that waits for its reply; when PARKED, that waited last.';
COMMENT ON COLUMN public.saga.operation IS 'What that command asks: REQUEST or CANCEL.';
COMMENT ON COLUMN public.saga.attempt IS 'How often that command was sent, from 1.';
COMMENT ON COLUMN public.saga.step_status IS 'Step name to STARTED, SUCCEEDED, FAILED, COMPENSATING, COMPENSATED or SKIPPED. A step that is missing was never sent.';
COMMENT ON COLUMN public.saga.payload IS 'What the saga was started with. It never changes.';
COMMENT ON COLUMN public.saga.outputs IS 'Step name to what its reply brought.';
COMMENT ON COLUMN public.saga.failure IS 'Why it goes or went back: {"step", "class": refused|unknown|aborted, "problem": {"type", "title", "detail"}}.';
COMMENT ON COLUMN public.saga.park_reason IS 'Why an operator has to look, while PARKED.';
COMMENT ON COLUMN public.saga.business_key IS 'Unique with type: a second start with the same key finds the first saga. NULL means none.';
COMMENT ON COLUMN public.saga.version IS 'Number of history rows; every change is made over the version that was read.';
COMMENT ON COLUMN public.saga.wake_at IS 'When the orchestrator acts by itself if no reply has come.';
COMMENT ON COLUMN public.saga.started_at IS 'When it was started.';
COMMENT ON COLUMN public.saga.updated_at IS 'When the last event was applied or recorded.';
COMMENT ON COLUMN public.saga.ended_at IS 'When it became COMPLETED or ABORTED.';
COMMENT ON INDEX public.saga_wake IS 'Due timers of running sagas.';

-- +goose StatementBegin
CREATE FUNCTION public.saga_refuse_reopening() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'saga % is % and stays so; it cannot become %', OLD.id, OLD.status, NEW.status
        USING ERRCODE = 'restrict_violation', CONSTRAINT = 'saga_terminal_absorbing',
              HINT = 'Start another saga.';
END
$$;
-- +goose StatementEnd

COMMENT ON FUNCTION public.saga_refuse_reopening() IS 'Refuses to change the status of a saga that has ended.';

-- The WHEN clause is evaluated in place: no function runs for an ordinary update.
CREATE TRIGGER saga_terminal_absorbing BEFORE UPDATE ON public.saga FOR EACH ROW
    WHEN (OLD.status IN ('COMPLETED', 'ABORTED') AND NEW.status IS DISTINCT FROM OLD.status)
    EXECUTE FUNCTION public.saga_refuse_reopening();
