-- One row per saga: where it stands now. How it came there is in saga_history.

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
    webhooks           text[],
    version            bigint      NOT NULL,
    deadline           timestamptz,
    wake_at            timestamptz,
    look_at            timestamptz,
    sent_xact          xid8,
    started_at         timestamptz NOT NULL,
    updated_at         timestamptz NOT NULL,
    ended_at           timestamptz,
    CONSTRAINT saga_pkey PRIMARY KEY (id),
    CONSTRAINT saga_business_key_unique UNIQUE (type, business_key)
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
COMMENT ON COLUMN public.saga.waiting IS 'The steps under way or parked: step name to {"operation", "attempt", "wake_at", "park", "retried": {"times", "for", "attempt"}, "held": {"reason", "since"}}, held being why its command is not with its participant, retried being the answers retry so far, what was waited because of them and the attempt that was answered so last. What does not apply is left out.';
COMMENT ON COLUMN public.saga.payload IS 'What the saga was started with. It never changes.';
COMMENT ON COLUMN public.saga.outputs IS 'Step name to what its reply or signal brought.';
COMMENT ON COLUMN public.saga.signals IS 'Signals that came before their step: step name to {"refused", "output", "reason", "who"}. NULL means none.';
COMMENT ON COLUMN public.saga.failure IS 'Why it goes or went back: {"step", "class": refused|unknown|unavailable|unsignalled|condition|deadline|aborted, "problem": {"type", "title", "detail"}}.';
COMMENT ON COLUMN public.saga.park_reason IS 'Why an operator has to look, while PARKED: the first parked step''s reason.';
COMMENT ON COLUMN public.saga.business_key IS 'Unique with type: a second start with the same key finds the first saga. NULL means none.';
COMMENT ON COLUMN public.saga.webhooks IS 'Webhooks that are told when it ends, besides those of its definition. NULL means none.';
COMMENT ON COLUMN public.saga.version IS 'Number of history rows; every change is made over the version that was read.';
COMMENT ON COLUMN public.saga.deadline IS 'When it turns back if it still goes forward. NULL means never.';
COMMENT ON COLUMN public.saga.wake_at IS 'When the orchestrator acts by itself if nothing comes.';
COMMENT ON COLUMN public.saga.look_at IS 'When the orchestrator looks at wake_at, never later than that; infinity if it was PARKED or paused at the last look, NULL when it has ended.';
COMMENT ON COLUMN public.saga.sent_xact IS 'The transaction that has sent its last messages. In the outbox they are of one aggregate: when this one is published, all before are.';
COMMENT ON COLUMN public.saga.started_at IS 'When it was started.';
COMMENT ON COLUMN public.saga.updated_at IS 'When the last event was applied or recorded.';
COMMENT ON COLUMN public.saga.ended_at IS 'When it became COMPLETED, ABORTED or KILLED.';
COMMENT ON INDEX public.saga_look IS 'Sagas that have not ended, by when to look at their timers.';

-- The table's CHECK constraints, in all but form: why they are a trigger stands with
-- outbox_check. What must be true of a row stands here as what violates it; as with a
-- CHECK, null violates nothing. What looks into JSON comes last, and where the status
-- decides whether it must, the status is asked first.
CREATE FUNCTION public.saga_check() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    violated CONSTANT text := CASE
        -- What is over stays so. OLD is null where the row is new.
        WHEN OLD.status IN ('COMPLETED', 'ABORTED', 'KILLED') AND NEW.status IS DISTINCT FROM OLD.status
            THEN 'saga_terminal_absorbing'
        WHEN NEW.status NOT IN ('STARTED', 'COMPLETED', 'ABORTING', 'ABORTED', 'PARKED', 'KILLED')
            THEN 'saga_status_known'
        WHEN NEW.version <= 0 THEN 'saga_version_positive'
        WHEN pg_catalog.octet_length(NEW.business_key) NOT BETWEEN 1 AND 255 THEN 'saga_business_key_fits'
        -- What is over has an end, waits for nothing and is not looked at; everything else is.
        WHEN (NEW.status IN ('COMPLETED', 'ABORTED', 'KILLED')) <> (NEW.ended_at IS NOT NULL)
            THEN 'saga_terminal_has_ended'
        WHEN NEW.ended_at IS NOT NULL AND (NEW.waiting <> '{}' OR NEW.signals IS NOT NULL)
            THEN 'saga_terminal_waits_for_nothing'
        WHEN (NEW.ended_at IS NULL) <> (NEW.look_at IS NOT NULL) THEN 'saga_terminal_is_not_looked_at'
        -- What is not over waits for something, unless it was paused between two steps.
        WHEN NEW.ended_at IS NULL AND NOT NEW.paused AND NEW.waiting = '{}' THEN 'saga_running_waits'
        WHEN (NEW.waiting = '{}') <> (NEW.current_step IS NULL) THEN 'saga_current_step_waits'
        -- A running saga that is not timed would never be acted upon again.
        WHEN (NEW.status IN ('STARTED', 'ABORTING') AND NOT NEW.paused) <> (NEW.wake_at IS NOT NULL)
            THEN 'saga_running_is_timed'
        -- A timer fires late if the row is looked at late.
        WHEN NEW.look_at > NEW.wake_at THEN 'saga_looked_at_in_time'
        WHEN NEW.paused AND NEW.status NOT IN ('STARTED', 'ABORTING') THEN 'saga_paused_is_running'
        WHEN (NEW.status = 'PARKED') <> (NEW.park_reason IS NOT NULL) THEN 'saga_parked_has_reason'
        -- Only what goes back has a reason to; a parked or killed saga may have gone either way.
        WHEN NEW.failure IS NULL AND NEW.status IN ('ABORTING', 'ABORTED') THEN 'saga_abort_has_failure'
        WHEN NEW.failure IS NOT NULL AND NEW.status IN ('STARTED', 'COMPLETED') THEN 'saga_forward_has_no_failure'
        WHEN NEW.deadline IS NOT NULL AND (NEW.failure IS NOT NULL OR NEW.ended_at IS NOT NULL)
            THEN 'saga_deadline_goes_forward'
        WHEN pg_catalog.jsonb_typeof(NEW.payload) <> 'object' THEN 'saga_payload_is_object'
        WHEN pg_catalog.jsonb_typeof(NEW.outputs) <> 'object' THEN 'saga_outputs_is_object'
        WHEN pg_catalog.jsonb_typeof(NEW.signals) <> 'object' THEN 'saga_signals_is_object'
        WHEN pg_catalog.jsonb_typeof(NEW.failure) <> 'object' THEN 'saga_failure_is_object'
        WHEN pg_catalog.jsonb_typeof(NEW.step_status) <> 'object'
          OR pg_catalog.jsonb_path_exists(NEW.step_status, '$.* ? (@.type() != "string"
                || (@ != "STARTED" && @ != "SUCCEEDED" && @ != "FAILED" && @ != "CONFIRMING" && @ != "CONFIRMED"
                    && @ != "COMPENSATING" && @ != "COMPENSATED" && @ != "SKIPPED" && @ != "OMITTED"))')
            THEN 'saga_step_status_known'
        WHEN pg_catalog.jsonb_typeof(NEW.waiting) <> 'object'
          OR pg_catalog.jsonb_path_exists(NEW.waiting, 'strict $.* ? (@.type() != "object"
                || (@.operation != "REQUEST" && @.operation != "CONFIRM" && @.operation != "CANCEL")
                || @.retried.times > @.attempt || @.retried.attempt > @.attempt)')
            THEN 'saga_waiting_known'
        -- All or nothing: the promise of a saga, as a constraint. Of a killed one nothing is promised.
        WHEN NEW.status = 'COMPLETED'
         AND pg_catalog.jsonb_path_exists(NEW.step_status,
                '$.* ? (@ != "SUCCEEDED" && @ != "CONFIRMED" && @ != "SKIPPED" && @ != "OMITTED")')
            THEN 'saga_completed_in_effect'
        WHEN NEW.status = 'ABORTED'
         AND pg_catalog.jsonb_path_exists(NEW.step_status, '$.* ? (@ == "STARTED" || @ == "SUCCEEDED" || @ == "SKIPPED"
                || @ == "CONFIRMING" || @ == "CONFIRMED" || @ == "COMPENSATING")')
            THEN 'saga_aborted_not_in_effect'
        END;
BEGIN
    IF violated IS NULL THEN
        IF OLD.type = NEW.type AND OLD.definition_version = NEW.definition_version THEN RETURN NEW; END IF;
        -- Not a foreign key: each start would lock the definition's row, all of them the
        -- same, and a row that is locked by many at once is dear. Definitions stay for
        -- ever, so that being there once is enough.
        IF public.saga_hidden() = 0 AND EXISTS (
            SELECT FROM public.saga_definition AS d WHERE d.name = NEW.type AND d.version = NEW.definition_version
        ) THEN
            RETURN NEW;
        END IF;
        RAISE EXCEPTION 'definition % version % of saga % is not stored', NEW.type, NEW.definition_version, NEW.id
            USING ERRCODE = 'foreign_key_violation', CONSTRAINT = 'saga_definition_stored';
    END IF;
    IF violated = 'saga_terminal_absorbing' THEN
        RAISE EXCEPTION 'saga % is % and stays so; it cannot become %', OLD.id, OLD.status, NEW.status
            USING ERRCODE = 'restrict_violation', CONSTRAINT = violated,
                  HINT = 'Start another saga.';
    END IF;
    RAISE EXCEPTION 'new row for relation "%" violates check constraint "%"', TG_TABLE_NAME, violated
        USING ERRCODE = 'check_violation', CONSTRAINT = violated, TABLE = TG_TABLE_NAME, SCHEMA = TG_TABLE_SCHEMA;
END
$$;

COMMENT ON FUNCTION public.saga_check() IS
    'Refuses a saga in a state that cannot be, error 23514 with the name of what it violates, and any change of status of one that has ended.';

CREATE TRIGGER saga_checked BEFORE INSERT OR UPDATE ON public.saga
    FOR EACH ROW EXECUTE FUNCTION public.saga_check();
