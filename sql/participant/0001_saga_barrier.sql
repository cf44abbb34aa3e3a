-- The barrier of a participant: what was decided for each operation of each
-- step. A row and the work that it stands for commit together, so that a command
-- that comes twice, late or in the wrong order takes effect at most once.

-- +goose Up
CREATE TABLE public.saga_barrier (
    saga_id    uuid        NOT NULL,
    step       text        NOT NULL,
    op         text        NOT NULL,
    outcome    text        NOT NULL,
    effect     boolean     NOT NULL,
    reply      jsonb       NOT NULL DEFAULT '{}',
    entered_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT saga_barrier_pkey PRIMARY KEY (saga_id, step, op),
    CONSTRAINT saga_barrier_step_given CHECK (step <> ''),
    CONSTRAINT saga_barrier_outcome_of_op CHECK (
        (op = 'REQUEST' AND outcome IN ('succeeded', 'failed', 'cancelled')) OR
        (op = 'CANCEL'  AND outcome = 'compensated')),
    -- A REQUEST has an effect when it succeeded, and then only.
    CONSTRAINT saga_barrier_effect_of_request CHECK (op = 'CANCEL' OR effect = (outcome = 'succeeded')),
    CONSTRAINT saga_barrier_reply_is_object CHECK (jsonb_typeof(reply) = 'object')
);

COMMENT ON TABLE  public.saga_barrier IS 'One row for each operation that this participant has decided. A row never changes after its transaction. To forget a saga that ended long ago, delete its rows.';
COMMENT ON COLUMN public.saga_barrier.saga_id IS 'The saga (header cloudEvents_sagaid).';
COMMENT ON COLUMN public.saga_barrier.step IS 'The step (header cloudEvents_sagastep).';
COMMENT ON COLUMN public.saga_barrier.op IS 'REQUEST or CANCEL (header cloudEvents_sagaop).';
COMMENT ON COLUMN public.saga_barrier.outcome IS 'REQUEST: succeeded; failed, refused for good; cancelled, its CANCEL came first and it must never run. CANCEL: compensated.';
COMMENT ON COLUMN public.saga_barrier.effect IS 'Whether the participant''s own work was done. False for a refused or cancelled REQUEST, and for a CANCEL that found nothing to undo.';
COMMENT ON COLUMN public.saga_barrier.reply IS 'Body of the reply, to be sent again whenever the command comes again.';
COMMENT ON COLUMN public.saga_barrier.entered_at IS 'When the operation was decided, by the clock of the database.';

-- +goose StatementBegin
CREATE FUNCTION public.saga_barrier_enter(the_saga uuid, the_step text, the_op text)
RETURNS TABLE (run boolean, answer text, body jsonb)
LANGUAGE plpgsql AS $$
DECLARE
    is_first  boolean;
    succeeded boolean;
BEGIN
    IF the_op IS NULL OR the_op NOT IN ('REQUEST', 'CANCEL') THEN
        RAISE EXCEPTION 'saga_barrier_enter: operation %, want REQUEST or CANCEL', the_op
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    -- Both operations compete for the REQUEST's row. Whoever inserts it decides;
    -- the other waits here for the winner's transaction to end. The row says what
    -- a commit without another word means: done, or never to be done.
    INSERT INTO public.saga_barrier (saga_id, step, op, outcome, effect, reply)
    VALUES (the_saga, the_step, 'REQUEST',
            CASE the_op WHEN 'REQUEST' THEN 'succeeded' ELSE 'cancelled' END,
            the_op = 'REQUEST',
            CASE the_op WHEN 'REQUEST' THEN '{}'::jsonb ELSE
                '{"type": "urn:problem:saga:cancelled", "title": "The request was cancelled before it arrived"}' END)
    ON CONFLICT DO NOTHING;
    is_first := FOUND;

    IF the_op = 'REQUEST' THEN
        IF is_first THEN
            RETURN QUERY SELECT true, NULL::text, NULL::jsonb;
        ELSE
            RETURN QUERY
            SELECT false, CASE b.outcome WHEN 'succeeded' THEN 'succeeded' ELSE 'failed' END, b.reply
              FROM public.saga_barrier b
             WHERE b.saga_id = the_saga AND b.step = the_step AND b.op = 'REQUEST';
        END IF;
        RETURN;
    END IF;

    -- Only what succeeded has to be undone.
    SELECT b.outcome = 'succeeded' INTO STRICT succeeded
      FROM public.saga_barrier b
     WHERE b.saga_id = the_saga AND b.step = the_step AND b.op = 'REQUEST';
    INSERT INTO public.saga_barrier (saga_id, step, op, outcome, effect)
    VALUES (the_saga, the_step, 'CANCEL', 'compensated', succeeded)
    ON CONFLICT DO NOTHING;
    IF FOUND AND succeeded THEN
        RETURN QUERY SELECT true, NULL::text, NULL::jsonb;
    ELSE
        RETURN QUERY SELECT false, 'compensated', '{}'::jsonb;
    END IF;
END
$$;
-- +goose StatementEnd

COMMENT ON FUNCTION public.saga_barrier_enter(uuid, text, text) IS
    'Call it first, in the transaction and after the savepoint of the work. run: do the work, then commit; to refuse or to fail, roll back to the savepoint. Not run: do nothing and reply with answer and body.';

-- +goose StatementBegin
CREATE FUNCTION public.saga_barrier_succeed(the_saga uuid, the_step text, output jsonb)
RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    UPDATE public.saga_barrier b
       SET reply = output
     WHERE b.saga_id = the_saga AND b.step = the_step AND b.op = 'REQUEST' AND b.outcome = 'succeeded';
    IF NOT FOUND THEN
        RAISE EXCEPTION 'saga_barrier_succeed: step % of saga % was not entered', the_step, the_saga
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
END
$$;
-- +goose StatementEnd

COMMENT ON FUNCTION public.saga_barrier_succeed(uuid, text, jsonb) IS
    'Stores the output of a REQUEST that saga_barrier_enter told to run, in the same transaction. Without an output it need not be called.';

-- +goose StatementBegin
CREATE FUNCTION public.saga_barrier_refuse(the_saga uuid, the_step text, problem jsonb)
RETURNS TABLE (answer text, body jsonb)
LANGUAGE plpgsql AS $$
BEGIN
    -- Between the rollback of the work and this statement another instance may
    -- have entered. Then its decision stands.
    INSERT INTO public.saga_barrier (saga_id, step, op, outcome, effect, reply)
    VALUES (the_saga, the_step, 'REQUEST', 'failed', false, problem)
    ON CONFLICT DO NOTHING;
    RETURN QUERY
    SELECT CASE b.outcome WHEN 'succeeded' THEN 'succeeded' ELSE 'failed' END, b.reply
      FROM public.saga_barrier b
     WHERE b.saga_id = the_saga AND b.step = the_step AND b.op = 'REQUEST';
END
$$;
-- +goose StatementEnd

COMMENT ON FUNCTION public.saga_barrier_refuse(uuid, text, jsonb) IS
    'Stores for good that a REQUEST is refused, after the work was rolled back to the savepoint, and returns the reply to send.';
