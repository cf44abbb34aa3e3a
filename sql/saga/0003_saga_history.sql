-- How each saga came to where it stands: one row per event, also for those that
-- changed nothing. Written in the transaction that changes the saga.

CREATE TABLE public.saga_history (
    saga_id       uuid        NOT NULL,
    seq           bigint      NOT NULL,
    at            timestamptz NOT NULL,
    kind          text        NOT NULL,
    step          text,
    operation     text,
    attempt       integer,
    outcome       text,
    disposition   text        NOT NULL,
    from_status   text,
    to_status     text        NOT NULL,
    sent          text[]      NOT NULL DEFAULT '{}',
    detail        text        NOT NULL,
    problem       jsonb,
    who           text,
    message_id    text,
    CONSTRAINT saga_history_pkey PRIMARY KEY (saga_id, seq)
);

COMMENT ON TABLE public.saga_history IS 'Every event of every saga, in order. For reading, the view saga_timeline is kinder.';
COMMENT ON COLUMN public.saga_history.saga_id IS 'The saga. Its history goes when it is deleted.';
COMMENT ON COLUMN public.saga_history.seq IS 'From 1 without gaps; saga.version after this event.';
COMMENT ON COLUMN public.saga_history.at IS 'When the event was applied or recorded.';
COMMENT ON COLUMN public.saga_history.kind IS 'start, reply, timer, signal, or what an operator did: migrate, retry, skip, abort, kill, pause, resume.';
COMMENT ON COLUMN public.saga_history.step IS 'Step that the event is about.';
COMMENT ON COLUMN public.saga_history.operation IS 'Operation that the event is about: REQUEST, CONFIRM or CANCEL.';
COMMENT ON COLUMN public.saga_history.attempt IS 'Attempt that a reply answers, or whose time was over.';
COMMENT ON COLUMN public.saga_history.outcome IS 'What a reply said: succeeded, confirmed, failed, compensated or retry.';
COMMENT ON COLUMN public.saga_history.disposition IS 'What became of the event: advanced, or recorded only (duplicate, late, quarantined, refused), or parked.';
COMMENT ON COLUMN public.saga_history.from_status IS 'Status of the saga before; NULL for the start.';
COMMENT ON COLUMN public.saga_history.to_status IS 'Status of the saga after.';
COMMENT ON COLUMN public.saga_history.sent IS 'The commands that went out because of the event, each as in REQUEST hotel #1: operation, step, attempt.';
COMMENT ON COLUMN public.saga_history.detail IS 'The same for people.';
COMMENT ON COLUMN public.saga_history.problem IS 'Why a reply says failed or retry, in the participant''s words: {"type", "title", "detail"}. NULL where it does not say.';
COMMENT ON COLUMN public.saga_history.who IS 'Operator, where one acted, or who signalled.';
COMMENT ON COLUMN public.saga_history.message_id IS 'AMQP message_id of the reply.';

-- The table's CHECK constraints, in all but form: why they are a trigger stands with
-- outbox_check. As with a CHECK, null violates nothing.
CREATE FUNCTION public.saga_history_check() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    violated CONSTANT text := CASE
        WHEN NEW.seq <= 0 THEN 'saga_history_seq_positive'
        WHEN (NEW.seq = 1) <> (NEW.kind = 'start') OR (NEW.seq = 1) <> (NEW.from_status IS NULL)
            THEN 'saga_history_starts_once'
        WHEN NEW.kind NOT IN ('start', 'reply', 'timer', 'signal', 'migrate', 'retry', 'skip', 'abort', 'kill', 'pause', 'resume')
            THEN 'saga_history_kind_known'
        WHEN NEW.operation NOT IN ('REQUEST', 'CONFIRM', 'CANCEL') THEN 'saga_history_operation_known'
        WHEN NEW.outcome NOT IN ('succeeded', 'confirmed', 'failed', 'compensated', 'retry')
            THEN 'saga_history_outcome_known'
        WHEN NEW.disposition NOT IN ('advanced', 'duplicate', 'late', 'quarantined', 'parked', 'refused')
            THEN 'saga_history_disposition_known'
        WHEN NEW.to_status NOT IN ('STARTED', 'COMPLETED', 'ABORTING', 'ABORTED', 'PARKED', 'KILLED')
            THEN 'saga_history_to_status_known'
        WHEN NEW.from_status NOT IN ('STARTED', 'COMPLETED', 'ABORTING', 'ABORTED', 'PARKED', 'KILLED')
            THEN 'saga_history_from_status_known'
        WHEN NEW.from_status IN ('COMPLETED', 'ABORTED', 'KILLED') AND NEW.from_status <> NEW.to_status
            THEN 'saga_history_terminal_absorbing'
        WHEN NEW.who IS NULL AND NEW.kind IN ('migrate', 'retry', 'skip', 'abort', 'kill', 'pause', 'resume')
            THEN 'saga_history_action_has_operator'
        WHEN pg_catalog.jsonb_typeof(NEW.problem) <> 'object' THEN 'saga_history_problem_is_object'
        WHEN NEW.sent <> '{}'
         AND ',' || pg_catalog.array_to_string(NEW.sent, ',', '') !~ '^(,(REQUEST|CONFIRM|CANCEL) [^ ,]+ #[1-9][0-9]*)+$'
            THEN 'saga_history_sent_known'
        END;
BEGIN
    IF violated IS NULL THEN RETURN NEW; END IF;
    RAISE EXCEPTION 'new row for relation "%" violates check constraint "%"', TG_TABLE_NAME, violated
        USING ERRCODE = 'check_violation', CONSTRAINT = violated, TABLE = TG_TABLE_NAME, SCHEMA = TG_TABLE_SCHEMA;
END
$$;

COMMENT ON FUNCTION public.saga_history_check() IS
    'Refuses an event that cannot be: error 23514, with the name of what it violates.';

CREATE TRIGGER saga_history_checked BEFORE INSERT ON public.saga_history
    FOR EACH ROW EXECUTE FUNCTION public.saga_history_check();

CREATE FUNCTION public.saga_history_refuse_update() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'history row % of saga % never changes', OLD.seq, OLD.saga_id
        USING ERRCODE = 'restrict_violation', CONSTRAINT = 'saga_history_append_only';
END
$$;

COMMENT ON FUNCTION public.saga_history_refuse_update() IS 'Refuses every UPDATE of the history.';

CREATE TRIGGER saga_history_append_only BEFORE UPDATE ON public.saga_history
    FOR EACH ROW EXECUTE FUNCTION public.saga_history_refuse_update();

-- In place of a foreign key with ON DELETE CASCADE, whose price is a query and a lock of
-- the saga for each row of history. Nothing is lost by it: who writes history has written
-- its saga in the same transaction, over the version that he read. A trigger and not a
-- part of what deletes: its snapshot is of after the deletion, so it sees what somebody
-- wrote while the deletion waited for him.
CREATE FUNCTION public.saga_history_forget() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp SET row_security = off AS $$
BEGIN
    -- An array, because the planner takes it to be short and walks the key for each.
    DELETE FROM public.saga_history AS h WHERE h.saga_id = ANY (ARRAY(SELECT g.id FROM gone AS g));
    RETURN NULL;
END
$$;

COMMENT ON FUNCTION public.saga_history_forget() IS 'Deletes the history of the sagas that a statement has deleted.';

CREATE TRIGGER saga_history_goes AFTER DELETE ON public.saga
    REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION public.saga_history_forget();
