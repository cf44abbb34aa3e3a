-- One row per saga: where it stands now. How it came there is in saga_history.

-- +goose Up
CREATE TABLE public.saga (
    id                 uuid        NOT NULL,
    type               text        NOT NULL,
    definition_version integer     NOT NULL,
    status             text        NOT NULL,
    paused             boolean     NOT NULL DEFAULT false,
    current_step       text,
    step_status        jsonb       NOT NULL,
    waiting            jsonb       NOT NULL DEFAULT '{}',
    payload            jsonb       NOT NULL,
    outputs            jsonb       NOT NULL DEFAULT '{}',
    signals            jsonb,
    failure            jsonb,
    park_reason        text,
    business_key       text,
    version            bigint      NOT NULL,
    deadline           timestamptz,
    wake_at            timestamptz,
    look_at            timestamptz,
    started_at         timestamptz NOT NULL,
    updated_at         timestamptz NOT NULL,
    ended_at           timestamptz,
    CONSTRAINT saga_pkey PRIMARY KEY (id),
    CONSTRAINT saga_business_key_unique UNIQUE (type, business_key),
    CONSTRAINT saga_definition_stored FOREIGN KEY (type, definition_version)
        REFERENCES public.saga_definition (name, version),
    CONSTRAINT saga_status_known
        CHECK (status IN ('STARTED', 'COMPLETED', 'ABORTING', 'ABORTED', 'PARKED', 'KILLED')),
    CONSTRAINT saga_version_positive CHECK (version > 0),
    CONSTRAINT saga_business_key_fits CHECK (octet_length(business_key) BETWEEN 1 AND 255),
    -- What is over has an end, waits for nothing and is not looked at; everything else is.
    CONSTRAINT saga_terminal_has_ended CHECK ((status IN ('COMPLETED', 'ABORTED', 'KILLED')) = (ended_at IS NOT NULL)),
    CONSTRAINT saga_terminal_waits_for_nothing CHECK (ended_at IS NULL OR (waiting = '{}' AND signals IS NULL)),
    CONSTRAINT saga_terminal_is_not_looked_at CHECK ((ended_at IS NULL) = (look_at IS NOT NULL)),
    -- What is not over waits for something, unless it was paused between two steps.
    CONSTRAINT saga_running_waits CHECK (ended_at IS NOT NULL OR paused OR waiting <> '{}'),
    CONSTRAINT saga_current_step_waits CHECK ((waiting = '{}') = (current_step IS NULL)),
    -- A running saga that is not timed would never be acted upon again.
    CONSTRAINT saga_running_is_timed CHECK ((status IN ('STARTED', 'ABORTING') AND NOT paused) = (wake_at IS NOT NULL)),
    -- A timer fires late if the row is looked at late.
    CONSTRAINT saga_looked_at_in_time CHECK (look_at <= wake_at),
    CONSTRAINT saga_paused_is_running CHECK (NOT paused OR status IN ('STARTED', 'ABORTING')),
    CONSTRAINT saga_parked_has_reason CHECK ((status = 'PARKED') = (park_reason IS NOT NULL)),
    -- Only what goes back has a reason to; a parked or killed saga may have gone either way.
    CONSTRAINT saga_abort_has_failure CHECK (status NOT IN ('ABORTING', 'ABORTED') OR failure IS NOT NULL),
    CONSTRAINT saga_forward_has_no_failure CHECK (status NOT IN ('STARTED', 'COMPLETED') OR failure IS NULL),
    CONSTRAINT saga_deadline_goes_forward CHECK (deadline IS NULL OR (failure IS NULL AND ended_at IS NULL)),
    CONSTRAINT saga_payload_is_object CHECK (jsonb_typeof(payload) = 'object'),
    CONSTRAINT saga_outputs_is_object CHECK (jsonb_typeof(outputs) = 'object'),
    CONSTRAINT saga_signals_is_object CHECK (jsonb_typeof(signals) = 'object'),
    CONSTRAINT saga_failure_is_object CHECK (jsonb_typeof(failure) = 'object'),
    CONSTRAINT saga_step_status_known CHECK (
        jsonb_typeof(step_status) = 'object'
        AND NOT jsonb_path_exists(step_status, '$.* ? (@.type() != "string"
            || (@ != "STARTED" && @ != "SUCCEEDED" && @ != "FAILED" && @ != "CONFIRMING" && @ != "CONFIRMED"
                && @ != "COMPENSATING" && @ != "COMPENSATED" && @ != "SKIPPED" && @ != "OMITTED"))')),
    CONSTRAINT saga_waiting_known CHECK (
        jsonb_typeof(waiting) = 'object'
        AND NOT jsonb_path_exists(waiting, 'strict $.* ? (@.type() != "object"
            || (@.operation != "REQUEST" && @.operation != "CONFIRM" && @.operation != "CANCEL"))')),
    -- All or nothing: the promise of a saga, as a constraint. Of a killed one nothing is promised.
    CONSTRAINT saga_completed_in_effect CHECK (
        status <> 'COMPLETED'
        OR NOT jsonb_path_exists(step_status,
            '$.* ? (@ != "SUCCEEDED" && @ != "CONFIRMED" && @ != "SKIPPED" && @ != "OMITTED")')),
    CONSTRAINT saga_aborted_not_in_effect CHECK (
        status <> 'ABORTED'
        OR NOT jsonb_path_exists(step_status, '$.* ? (@ == "STARTED" || @ == "SUCCEEDED" || @ == "SKIPPED"
            || @ == "CONFIRMING" || @ == "CONFIRMED" || @ == "COMPENSATING")'))
-- Room on the page for the next versions: sagas that lie side by side are changed by
-- the same batch, and outputs grow. Of 8,000 updates of 2,000 sagas in batches of 50,
-- 6,000 can be HOT: 5,100 were with 80, 5,800 with 60, the table being 6 % larger.
) WITH (fillfactor = 60);

-- Leads the sweep to the rows to look at, and every list of what runs past the
-- sagas that ended. An update that moves an indexed column writes a new entry into
-- each index; one that does not stays within its page (a HOT update), where the next
-- writer clears the old version away. wake_at moves with every step, so look_at stands
-- in for it: it moves only when it would be late, and when its own time has come. A saga
-- that ends in time has one update that is not HOT: its last.
CREATE INDEX saga_look ON public.saga (look_at) WHERE look_at IS NOT NULL;

COMMENT ON TABLE public.saga IS 'Where each saga stands. For reading, the view saga_overview is kinder.';
COMMENT ON COLUMN public.saga.id IS 'UUID, version 7: rises with time. AMQP correlation_id of its messages.';
COMMENT ON COLUMN public.saga.type IS 'Name of its definition.';
COMMENT ON COLUMN public.saga.definition_version IS 'The version it follows: the one it started with, unless an operator has migrated it.';
COMMENT ON COLUMN public.saga.status IS 'STARTED (going forward), COMPLETED, ABORTING (compensating), ABORTED, PARKED (needs an operator), KILLED (ended where it stood).';
COMMENT ON COLUMN public.saga.paused IS 'Begins nothing until an operator resumes it.';
COMMENT ON COLUMN public.saga.current_step IS 'The steps under way or parked, for people.';
COMMENT ON COLUMN public.saga.step_status IS 'Step name to STARTED, SUCCEEDED, FAILED, CONFIRMING, CONFIRMED, COMPENSATING, COMPENSATED, SKIPPED or OMITTED. A step that is missing was never begun.';
COMMENT ON COLUMN public.saga.waiting IS 'The steps under way or parked: step name to {"operation", "attempt", "wake_at", "park"}. What does not apply is left out.';
COMMENT ON COLUMN public.saga.payload IS 'What the saga was started with. It never changes.';
COMMENT ON COLUMN public.saga.outputs IS 'Step name to what its reply or signal brought.';
COMMENT ON COLUMN public.saga.signals IS 'Signals that came before their step: step name to {"refused", "output", "reason", "who"}. NULL means none.';
COMMENT ON COLUMN public.saga.failure IS 'Why it goes or went back: {"step", "class": refused|unknown|unsignalled|condition|deadline|aborted, "problem": {"type", "title", "detail"}}.';
COMMENT ON COLUMN public.saga.park_reason IS 'Why an operator has to look, while PARKED: the first parked step''s reason.';
COMMENT ON COLUMN public.saga.business_key IS 'Unique with type: a second start with the same key finds the first saga. NULL means none.';
COMMENT ON COLUMN public.saga.version IS 'Number of history rows; every change is made over the version that was read.';
COMMENT ON COLUMN public.saga.deadline IS 'When it turns back if it still goes forward. NULL means never.';
COMMENT ON COLUMN public.saga.wake_at IS 'When the orchestrator acts by itself if nothing comes.';
COMMENT ON COLUMN public.saga.look_at IS 'When the orchestrator looks at wake_at, never later than that; infinity if it was PARKED or paused at the last look, NULL when it has ended.';
COMMENT ON COLUMN public.saga.started_at IS 'When it was started.';
COMMENT ON COLUMN public.saga.updated_at IS 'When the last event was applied or recorded.';
COMMENT ON COLUMN public.saga.ended_at IS 'When it became COMPLETED, ABORTED or KILLED.';
COMMENT ON INDEX public.saga_look IS 'Sagas that have not ended, by when to look at their timers.';

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
    WHEN (OLD.status IN ('COMPLETED', 'ABORTED', 'KILLED') AND NEW.status IS DISTINCT FROM OLD.status)
    EXECUTE FUNCTION public.saga_refuse_reopening();
