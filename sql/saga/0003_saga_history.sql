-- How each saga came to where it stands: one row per event, also for those that
-- changed nothing. Written in the transaction that changes the saga.

-- +goose Up
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
    who           text,
    message_id    text,
    CONSTRAINT saga_history_pkey PRIMARY KEY (saga_id, seq),
    CONSTRAINT saga_history_saga FOREIGN KEY (saga_id) REFERENCES public.saga (id) ON DELETE CASCADE,
    CONSTRAINT saga_history_seq_positive CHECK (seq > 0),
    CONSTRAINT saga_history_starts_once
        CHECK ((seq = 1) = (kind = 'start') AND (seq = 1) = (from_status IS NULL)),
    CONSTRAINT saga_history_kind_known CHECK (
        kind IN ('start', 'reply', 'timer', 'signal', 'migrate', 'retry', 'skip', 'abort', 'kill', 'pause', 'resume')),
    CONSTRAINT saga_history_operation_known CHECK (operation IN ('REQUEST', 'CONFIRM', 'CANCEL')),
    CONSTRAINT saga_history_outcome_known CHECK (
        outcome IN ('succeeded', 'confirmed', 'failed', 'compensated', 'retry')),
    CONSTRAINT saga_history_disposition_known
        CHECK (disposition IN ('advanced', 'duplicate', 'late', 'quarantined', 'parked', 'refused')),
    CONSTRAINT saga_history_to_status_known
        CHECK (to_status IN ('STARTED', 'COMPLETED', 'ABORTING', 'ABORTED', 'PARKED', 'KILLED')),
    CONSTRAINT saga_history_from_status_known
        CHECK (from_status IN ('STARTED', 'COMPLETED', 'ABORTING', 'ABORTED', 'PARKED', 'KILLED')),
    CONSTRAINT saga_history_terminal_absorbing
        CHECK (from_status NOT IN ('COMPLETED', 'ABORTED', 'KILLED') OR from_status = to_status),
    CONSTRAINT saga_history_sent_known CHECK (
        sent = '{}' OR ',' || array_to_string(sent, ',', '') ~ '^(,(REQUEST|CONFIRM|CANCEL) [^ ,]+ #[1-9][0-9]*)+$'),
    CONSTRAINT saga_history_action_has_operator
        CHECK (kind NOT IN ('migrate', 'retry', 'skip', 'abort', 'kill', 'pause', 'resume') OR who IS NOT NULL)
);

COMMENT ON TABLE public.saga_history IS 'Every event of every saga, in order. For reading, the view saga_timeline is kinder.';
COMMENT ON COLUMN public.saga_history.saga_id IS 'The saga. Its history goes when it is deleted.';
COMMENT ON COLUMN public.saga_history.seq IS 'From 1 without gaps; saga.version after this event.';
COMMENT ON COLUMN public.saga_history.at IS 'When the event was applied or recorded.';
COMMENT ON COLUMN public.saga_history.kind IS 'start, reply, timer, signal, or what an operator did: migrate, retry, skip, abort, kill, pause, resume.';
COMMENT ON COLUMN public.saga_history.step IS 'Step that the event is about.';
COMMENT ON COLUMN public.saga_history.operation IS 'Operation that the event is about: REQUEST, CONFIRM or CANCEL.';
COMMENT ON COLUMN public.saga_history.attempt IS 'Attempt that was waiting when the event came.';
COMMENT ON COLUMN public.saga_history.outcome IS 'What a reply said: succeeded, confirmed, failed, compensated or retry.';
COMMENT ON COLUMN public.saga_history.disposition IS 'What became of the event: advanced, or recorded only (duplicate, late, quarantined, refused), or parked.';
COMMENT ON COLUMN public.saga_history.from_status IS 'Status of the saga before; NULL for the start.';
COMMENT ON COLUMN public.saga_history.to_status IS 'Status of the saga after.';
COMMENT ON COLUMN public.saga_history.sent IS 'The commands that went out because of the event, each as in REQUEST hotel #1: operation, step, attempt.';
COMMENT ON COLUMN public.saga_history.detail IS 'The same for people.';
COMMENT ON COLUMN public.saga_history.who IS 'Operator, where one acted, or who signalled.';
COMMENT ON COLUMN public.saga_history.message_id IS 'AMQP message_id of the reply.';

-- +goose StatementBegin
CREATE FUNCTION public.saga_history_refuse_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'history row % of saga % never changes', OLD.seq, OLD.saga_id
        USING ERRCODE = 'restrict_violation', CONSTRAINT = 'saga_history_append_only';
END
$$;
-- +goose StatementEnd

COMMENT ON FUNCTION public.saga_history_refuse_update() IS 'Refuses every UPDATE of the history.';

CREATE TRIGGER saga_history_append_only BEFORE UPDATE ON public.saga_history
    FOR EACH ROW EXECUTE FUNCTION public.saga_history_refuse_update();
