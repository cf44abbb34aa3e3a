-- The barrier of a participant: what became of each step that it was asked for. A
-- row and the work that it stands for commit together, so that a command that comes
-- twice, late or in the wrong order takes effect at most once.
--
--   REQUEST ─► succeeded ─┬─ CONFIRM ─► confirmed
--      │                  └─ CANCEL ──► compensated
--      └─ refused ─► failed
--   CANCEL, when no REQUEST came before ─► cancelled
--
-- Each command is answered by the state that it finds. Where the state does not
-- allow it, nothing runs:
--
--   state         REQUEST             CONFIRM             CANCEL
--   no row        run → succeeded     retry               compensated → cancelled
--   succeeded     succeeded + output  run → confirmed     run → compensated
--   failed        failed + problem    failed              compensated
--   cancelled     failed              failed              compensated
--   confirmed     succeeded + output  confirmed           failed
--   compensated   succeeded + output  failed              compensated
--   forgotten     retry               failed              failed
--
-- Forgotten is a saga without a row that is not younger than the watermark of
-- saga_barrier_watermark: what became of it is not known any more.

CREATE TABLE public.saga_barrier (
    saga_id    uuid        NOT NULL,
    step       text        NOT NULL,
    state      text        NOT NULL,
    reply      jsonb       NOT NULL DEFAULT '{}',
    entered_at timestamptz NOT NULL DEFAULT now(),
    ended_at   timestamptz,
    -- One row a step: whoever writes it first decides, and CONFIRM and CANCEL, which
    -- exclude each other, compete for the same row.
    CONSTRAINT saga_barrier_pkey PRIMARY KEY (saga_id, step)
-- Room for the next version of a row on its own page: an output, CONFIRM and CANCEL
-- change no key, and the index need not learn of them.
) WITH (fillfactor = 80);

COMMENT ON TABLE  public.saga_barrier IS 'One row for each step of a saga that this participant was asked for. Call saga_barrier_enter and saga_barrier_leave and write to it in no other way. To forget old sagas call saga_barrier_forget: a row that is deleted in any other way is a command that never came.';
COMMENT ON COLUMN public.saga_barrier.saga_id IS 'The saga (header cloudEvents_sagaid).';
COMMENT ON COLUMN public.saga_barrier.step IS 'The step (header cloudEvents_sagastep).';
COMMENT ON COLUMN public.saga_barrier.state IS 'succeeded: the REQUEST took effect. failed: it was refused for good. cancelled: CANCEL came first, the REQUEST must never run. confirmed: CONFIRM made what succeeded last. compensated: CANCEL undid what succeeded. From succeeded a row can become confirmed or compensated; no other state ever changes.';
COMMENT ON COLUMN public.saga_barrier.reply IS 'Body of the answer to REQUEST, sent again whenever it comes again: the output, or the problem of a step that failed or was cancelled.';
COMMENT ON COLUMN public.saga_barrier.entered_at IS 'When the step was first decided, by the clock of the database.';
COMMENT ON COLUMN public.saga_barrier.ended_at IS 'When it was confirmed or compensated, by the clock of the database, else null.';

-- The table's CHECK constraints, in all but form. PostgreSQL parses and compiles the
-- expression of each CHECK, and the condition of each trigger, anew in every statement,
-- and saga_barrier_enter is one or more for each command: batches took twice as long.
-- plpgsql keeps what it has compiled. As with a CHECK, null violates nothing.
CREATE FUNCTION public.saga_barrier_check() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    violated CONSTANT text := CASE
        -- Within the transaction that decides, a refusal or an error may still take it
        -- back: the row is as old as the transaction. OLD is null where the row is new.
        WHEN NEW.state <> OLD.state AND coalesce(OLD.ended_at, OLD.entered_at) <> pg_catalog.now()
         AND NOT (OLD.state = 'succeeded' AND NEW.state IN ('confirmed', 'compensated'))
            THEN 'saga_barrier_decided_for_good'
        WHEN NEW.step = '' THEN 'saga_barrier_step_given'
        WHEN NEW.state NOT IN ('succeeded', 'failed', 'cancelled', 'confirmed', 'compensated')
            THEN 'saga_barrier_state_known'
        WHEN (NEW.ended_at IS NOT NULL) <> (NEW.state IN ('confirmed', 'compensated'))
            THEN 'saga_barrier_ended_by_its_end'
        WHEN pg_catalog.jsonb_typeof(NEW.reply) <> 'object' THEN 'saga_barrier_reply_is_object'
        END;
BEGIN
    IF violated IS NULL THEN RETURN NEW; END IF;
    IF violated = 'saga_barrier_decided_for_good' THEN
        RAISE EXCEPTION 'the step % of saga % is % and cannot become %', OLD.step, OLD.saga_id, OLD.state, NEW.state
            USING ERRCODE = 'check_violation', CONSTRAINT = violated;
    END IF;
    RAISE EXCEPTION 'new row for relation "%" violates check constraint "%"', TG_TABLE_NAME, violated
        USING ERRCODE = 'check_violation', CONSTRAINT = violated, TABLE = TG_TABLE_NAME, SCHEMA = TG_TABLE_SCHEMA;
END
$$;

COMMENT ON FUNCTION public.saga_barrier_check() IS
    'Refuses a row that cannot be, and to change what an earlier transaction has decided for good: error 23514, with the name of what is violated.';

CREATE TRIGGER saga_barrier_checked BEFORE INSERT OR UPDATE ON public.saga_barrier
    FOR EACH ROW EXECUTE FUNCTION public.saga_barrier_check();

-- A row that row security leaves out looks like one that does not exist, and a command
-- that was seen like a new one. What reads the barrier is refused then: the functions by
-- SET row_security = off, other statements by OFFSET saga_barrier_hidden(), which is known
-- before the first row is looked for, whatever the planner makes of a policy. The rest of
-- the transaction, which is the participant's own, is not concerned.
CREATE FUNCTION public.saga_barrier_hidden() RETURNS bigint LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF pg_catalog.row_security_active('public.saga_barrier'::regclass)
    OR pg_catalog.row_security_active('public.saga_barrier_watermark'::regclass) THEN
        RAISE EXCEPTION 'row security hides rows of saga_barrier or saga_barrier_watermark from the role %', current_user
            USING ERRCODE = 'insufficient_privilege',
                  HINT = pg_catalog.format('ALTER ROLE %I BYPASSRLS, or disable row security on the tables.', current_user);
    END IF;
    RETURN 0;
END
$$;

COMMENT ON FUNCTION public.saga_barrier_hidden() IS
    '0 where no row security hides the barrier from the current role; else error 42501.';

-- How far old sagas are forgotten. Their ids are UUIDs of version 7, which rise with time, so
-- one id says it, and age is in the primary key of the barrier. Only saga_barrier_forget
-- moves it, together with the deletion of rows below it.
CREATE TABLE public.saga_barrier_watermark (
    only_row     boolean     NOT NULL DEFAULT true,
    forgotten_to uuid        NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
    moved_at     timestamptz,
    CONSTRAINT saga_barrier_watermark_pkey PRIMARY KEY (only_row),
    CONSTRAINT saga_barrier_watermark_is_one CHECK (only_row)
);
INSERT INTO public.saga_barrier_watermark DEFAULT VALUES;

COMMENT ON TABLE  public.saga_barrier_watermark IS 'One row: how far old sagas are forgotten. Only saga_barrier_forget writes to it.';
COMMENT ON COLUMN public.saga_barrier_watermark.only_row IS 'Always true: there is one row.';
COMMENT ON COLUMN public.saga_barrier_watermark.forgotten_to IS 'Sagas up to this id, of version 7, may be forgotten: a command for one that has no row is refused. It never goes back.';
COMMENT ON COLUMN public.saga_barrier_watermark.moved_at IS 'When it was moved last, by the clock of the database.';

-- A row and the watermark above it go in one transaction. So whoever finds no row that was
-- there, because its INSERT met none, and asks afterwards, sees the watermark: the question
-- has a newer snapshot than the INSERT could have. Under REPEATABLE READ it has not; there the
-- lock fails if the watermark has moved since.
CREATE FUNCTION public.saga_barrier_reached(inserted bigint) RETURNS uuid
LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp SET row_security = off AS $$
DECLARE
    watermark uuid;
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        PERFORM FROM public.saga_barrier_watermark FOR SHARE;
    END IF;
    SELECT w.forgotten_to INTO STRICT watermark FROM public.saga_barrier_watermark AS w;
    RETURN watermark;
END
$$;

COMMENT ON FUNCTION public.saga_barrier_reached(bigint) IS
    'The watermark as it is now. The argument is how many rows were inserted before: what is asked for first is done first.';

CREATE FUNCTION public.saga_barrier_forgotten(the_saga uuid) RETURNS boolean
LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp SET row_security = off AS $$
BEGIN
    RETURN get_byte(uuid_send(the_saga), 6) >> 4 = 7 AND the_saga <= public.saga_barrier_reached(0);
END
$$;

COMMENT ON FUNCTION public.saga_barrier_forgotten(uuid) IS
    'Whether a saga of this id, where it has no row, may be one that is forgotten. Ask after the row was looked for or inserted, in a statement or function call of its own.';

CREATE FUNCTION public.saga_barrier_enter(the_saga uuid, the_step text, the_op text)
RETURNS TABLE (run boolean, answer text, body jsonb)
LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp SET row_security = off AS $$
DECLARE
    found_state text;
    found_reply jsonb;
    lost        boolean := false; -- it may have had a row that is gone
BEGIN
    -- The row is written as if the work were done: a commit without another word
    -- means that it is. Who comes at the same time waits here for this transaction.
    CASE the_op
    WHEN 'REQUEST' THEN
        INSERT INTO public.saga_barrier (saga_id, step, state) VALUES (the_saga, the_step, 'succeeded')
        ON CONFLICT DO NOTHING;
        run := FOUND;
        lost := run AND public.saga_barrier_forgotten(the_saga);
        run := run AND NOT lost;
    WHEN 'CONFIRM' THEN
        UPDATE public.saga_barrier b SET state = 'confirmed', ended_at = now()
         WHERE b.saga_id = the_saga AND b.step = the_step AND b.state = 'succeeded';
        run := FOUND;
    WHEN 'CANCEL' THEN
        INSERT INTO public.saga_barrier (saga_id, step, state, reply)
        VALUES (the_saga, the_step, 'cancelled',
                '{"type": "urn:problem:saga:cancelled", "title": "The request was cancelled before it arrived"}')
        ON CONFLICT DO NOTHING;
        lost := FOUND AND public.saga_barrier_forgotten(the_saga);
        UPDATE public.saga_barrier b SET state = 'compensated', ended_at = now()
         WHERE b.saga_id = the_saga AND b.step = the_step AND b.state = 'succeeded';
        run := FOUND;
    ELSE
        RAISE EXCEPTION 'saga_barrier_enter: operation %, want REQUEST, CONFIRM or CANCEL', the_op
            USING ERRCODE = 'invalid_parameter_value';
    END CASE;
    IF run THEN
        RETURN NEXT;
        RETURN;
    END IF;

    IF lost THEN -- what was just inserted is taken back
        DELETE FROM public.saga_barrier b WHERE b.saga_id = the_saga AND b.step = the_step;
    END IF;
    SELECT b.state, b.reply INTO found_state, found_reply
      FROM public.saga_barrier b
     WHERE b.saga_id = the_saga AND b.step = the_step;
    IF NOT FOUND AND (lost OR public.saga_barrier_forgotten(the_saga)) THEN
        -- Nothing is known, so nothing is promised: failed would say that a REQUEST took no
        -- effect, and compensated that there is nothing left to undo.
        answer := CASE the_op WHEN 'REQUEST' THEN 'retry' ELSE 'failed' END;
        body := '{"type": "urn:problem:saga:forgotten", "title": "The saga is so old that it is forgotten here, nothing was done"}';
        RETURN NEXT;
        RETURN;
    END IF;
    IF found_state IS NULL AND the_op <> 'CONFIRM' THEN
        RAISE EXCEPTION 'saga_barrier_enter: somebody deletes step % of saga %, repeat the transaction', the_step, the_saga
            USING ERRCODE = 'serialization_failure';
    END IF;
    answer := CASE
        WHEN the_op = 'REQUEST' AND found_state NOT IN ('failed', 'cancelled') THEN 'succeeded'
        WHEN the_op = 'CONFIRM' AND found_state = 'confirmed' THEN 'confirmed'
        WHEN the_op = 'CONFIRM' AND found_state IS NULL THEN 'retry'
        WHEN the_op = 'CANCEL' AND found_state <> 'confirmed' THEN 'compensated'
        ELSE 'failed' END;
    body := CASE
        WHEN the_op = 'REQUEST' THEN found_reply
        WHEN answer IN ('confirmed', 'compensated') THEN '{}'::jsonb
        WHEN answer = 'retry' THEN '{"type": "urn:problem:saga:not-requested", "title": "No request has arrived that could be confirmed"}'
        WHEN found_state = 'confirmed' THEN '{"type": "urn:problem:saga:confirmed", "title": "The step is confirmed and cannot be cancelled"}'
        WHEN found_state = 'failed' THEN '{"type": "urn:problem:saga:refused", "title": "The step was refused and cannot be confirmed"}'
        ELSE '{"type": "urn:problem:saga:cancelled", "title": "The step is cancelled and cannot be confirmed"}' END;
    RETURN NEXT;
END
$$;

COMMENT ON FUNCTION public.saga_barrier_enter(uuid, text, text) IS
    'Call it first, in the transaction of the work and before the savepoint that the work can be rolled back to. run: do the work, then call saga_barrier_leave. Not run: do nothing and reply with answer and body. A CONFIRM without its REQUEST is told to come again; after a CANCEL, and a CANCEL after CONFIRM, is failed. So are both for a saga that is forgotten; its REQUEST is told to come again.';

CREATE FUNCTION public.saga_barrier_leave(the_saga uuid, the_step text, the_op text, the_outcome text, the_body jsonb DEFAULT '{}')
RETURNS void
LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp SET row_security = off AS $$
BEGIN
    -- Only a row of this transaction: what is committed stands.
    CASE the_op || ' ' || the_outcome
    WHEN 'REQUEST succeeded', 'REQUEST failed' THEN
        UPDATE public.saga_barrier b SET state = the_outcome, reply = the_body
         WHERE b.saga_id = the_saga AND b.step = the_step AND b.state = 'succeeded' AND b.entered_at = now();
    WHEN 'REQUEST retry', 'REQUEST forgotten', 'CANCEL forgotten' THEN
        DELETE FROM public.saga_barrier b
         WHERE b.saga_id = the_saga AND b.step = the_step AND b.entered_at = now()
           AND b.state = CASE the_op WHEN 'REQUEST' THEN 'succeeded' ELSE 'cancelled' END;
    WHEN 'CONFIRM confirmed', 'CANCEL compensated' THEN
        PERFORM FROM public.saga_barrier b
          WHERE b.saga_id = the_saga AND b.step = the_step AND b.state = the_outcome AND b.ended_at = now();
    WHEN 'CONFIRM failed', 'CONFIRM retry', 'CANCEL failed', 'CANCEL retry' THEN
        UPDATE public.saga_barrier b SET state = 'succeeded', ended_at = NULL
         WHERE b.saga_id = the_saga AND b.step = the_step AND b.ended_at = now()
           AND b.state = CASE the_op WHEN 'CONFIRM' THEN 'confirmed' ELSE 'compensated' END;
    ELSE
        RAISE EXCEPTION 'saga_barrier_leave: % is no outcome of %', the_outcome, the_op
            USING ERRCODE = 'invalid_parameter_value';
    END CASE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'saga_barrier_leave: % of step % of saga % was not entered in this transaction', the_op, the_step, the_saga
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
END
$$;

COMMENT ON FUNCTION public.saga_barrier_leave(uuid, text, text, text, jsonb) IS
    'What came of the work that saga_barrier_enter told to run, in the same transaction. REQUEST: succeeded with the output, or, after the work was rolled back to the savepoint, failed with the problem, which is kept for good. retry keeps nothing, like the refusal of a CONFIRM or CANCEL: the command can come again. For a success without output it need not be called.';
