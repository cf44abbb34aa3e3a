-- The same tables for people: one line a saga, one sentence an event.

-- The same words as saga.Problem.String has. Not more than an expression, so that the
-- planner can put it in place of the call.
CREATE FUNCTION public.saga_problem(problem jsonb) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$
    SELECT CASE
        WHEN problem ->> 'title' <> '' THEN (problem ->> 'title')
            || CASE WHEN problem ->> 'detail' NOT IN ('', 'about:blank', problem ->> 'title') THEN ' (' || (problem ->> 'detail') || ')' ELSE '' END
            || CASE WHEN problem ->> 'type' NOT IN ('', 'about:blank', problem ->> 'title') THEN ' (' || (problem ->> 'type') || ')' ELSE '' END
        WHEN problem ->> 'detail' NOT IN ('', 'about:blank') THEN (problem ->> 'detail')
            || CASE WHEN problem ->> 'type' NOT IN ('', 'about:blank') THEN ' (' || (problem ->> 'type') || ')' ELSE '' END
        WHEN problem ->> 'type' NOT IN ('', 'about:blank') THEN problem ->> 'type'
    END
$$;
COMMENT ON FUNCTION public.saga_problem(jsonb) IS 'A problem {"type", "title", "detail"} in words: title (detail) (type). NULL where it says nothing.';

CREATE VIEW public.saga_overview AS
SELECT s.id,
       s.type,
       s.business_key,
       s.status,
       plan.steps,
       plan.waits_for,
       date_trunc('second', s.wake_at) AS next_wake,
       date_trunc('second', coalesce(s.ended_at, now()) - s.started_at) AS age,
       nullif(concat_ws('; ',
           CASE WHEN s.paused THEN coalesce(verdict.who || ': ' || verdict.detail, 'paused')
                WHEN s.status = 'KILLED' THEN coalesce(verdict.who || ': ' || verdict.detail, 'killed') END,
           -- The sentence says the reason, too, where the budget is spent.
           CASE WHEN s.status = 'PARKED' THEN concat_ws(': ', 'parked',
               CASE WHEN strpos(verdict.detail, s.park_reason) > 0 THEN NULL ELSE s.park_reason END,
               verdict.detail, verdict.said) END,
           nullif(concat_ws(' ', s.failure ->> 'step', s.failure ->> 'class'), '')
               || coalesce(': ' || public.saga_problem(s.failure -> 'problem'), '')
       ), '') AS reason,
       date_trunc('second', s.started_at) AS started_at
FROM public.saga s
LEFT JOIN public.saga_definition d ON d.name = s.type AND d.version = s.definition_version
-- jsonb forgets the order of keys; the order of the steps is in the plan.
CROSS JOIN LATERAL (
    -- A plan of a newer program may say its steps otherwise.
    SELECT coalesce(string_agg(CASE WHEN stage.size > 1 THEN '[' || stage.marks || ']' ELSE stage.marks END,
                               ' → ' ORDER BY stage.place), '') AS steps,
           string_agg(stage.waits, '; ' ORDER BY stage.place) AS waits_for
    FROM (
        SELECT min(step.ordinal) AS place,
               count(*) AS size,
               string_agg((step.plan ->> 'name') || ' ' || CASE s.step_status ->> (step.plan ->> 'name')
                   WHEN 'STARTED'      THEN '…'
                   WHEN 'SUCCEEDED'    THEN '✓'
                   WHEN 'FAILED'       THEN '✗'
                   WHEN 'CONFIRMING'   THEN '⟳'
                   WHEN 'CONFIRMED'    THEN '✓✓'
                   WHEN 'COMPENSATING' THEN '↶…'
                   WHEN 'COMPENSATED'  THEN '↶'
                   WHEN 'SKIPPED'      THEN 'skipped'
                   WHEN 'OMITTED'      THEN '–'
                   ELSE '·'
               END, ' ' ORDER BY step.ordinal) AS marks,
               string_agg(CASE
                   WHEN NOT wait.known ? 'operation' THEN 'decision on ' || (step.plan ->> 'name')
                   WHEN NOT wait.known ? 'attempt'   THEN (step.plan ->> 'kind') || ' ' || (step.plan ->> 'name')
                   ELSE (wait.known ->> 'operation') || ' ' || (step.plan ->> 'name')
                       || ', attempt ' || (wait.known ->> 'attempt')
                       || coalesce(', ' || (wait.known #>> '{held,reason}'), '')
                       || coalesce(', answered retry ' || nullif(wait.known #>> '{retried,times}', '0') || ' times', '')
               END, '; ' ORDER BY step.ordinal) AS waits
        FROM jsonb_array_elements(d.spec -> 'steps') WITH ORDINALITY AS step (plan, ordinal)
        CROSS JOIN LATERAL (SELECT s.waiting -> (step.plan ->> 'name') AS known) AS wait
        -- No group has a name with a number sign.
        GROUP BY coalesce(step.plan ->> 'group', '#' || step.ordinal)
    ) AS stage
) AS plan
-- Who parked, paused or killed it, and why. Of the others no history is read.
LEFT JOIN LATERAL (
    SELECT h.who, h.detail, public.saga_problem(h.problem) AS said
    FROM public.saga_history h
    WHERE h.saga_id = s.id
      AND (s.status IN ('PARKED', 'KILLED') OR s.paused)
      AND CASE WHEN s.status = 'PARKED' THEN h.disposition = 'parked'
               WHEN s.status = 'KILLED' THEN h.kind = 'kill' AND h.disposition = 'advanced'
               ELSE h.kind = 'pause' AND h.disposition = 'advanced' END
    ORDER BY h.seq DESC
    LIMIT 1
) AS verdict ON true;

COMMENT ON VIEW public.saga_overview IS 'One line a saga. Steps: · not begun, … under way, ✓ succeeded, ✗ refused, ⟳ being confirmed, ✓✓ confirmed, ↶… being compensated, ↶ compensated, – not needed, skipped. Brackets hold steps that run side by side.';
COMMENT ON COLUMN public.saga_overview.id IS 'saga.id.';
COMMENT ON COLUMN public.saga_overview.type IS 'Name of its definition.';
COMMENT ON COLUMN public.saga_overview.business_key IS 'The key it was started under, NULL if none.';
COMMENT ON COLUMN public.saga_overview.status IS 'STARTED, COMPLETED, ABORTING, ABORTED, PARKED or KILLED.';
COMMENT ON COLUMN public.saga_overview.steps IS 'Every step of the plan in order, with a mark.';
COMMENT ON COLUMN public.saga_overview.waits_for IS 'The commands that wait for their replies, or to be published, the signals and delays, and what an operator has to decide; NULL when it waits for nothing.';
COMMENT ON COLUMN public.saga_overview.next_wake IS 'When the orchestrator acts by itself, to the second; NULL when it will not.';
COMMENT ON COLUMN public.saga_overview.age IS 'From the start until the end, or until now.';
COMMENT ON COLUMN public.saga_overview.reason IS 'Who paused or killed it and why, why it is parked, and why it goes or went back, each with the words of the participant.';
COMMENT ON COLUMN public.saga_overview.started_at IS 'When it was started, to the second.';

CREATE VIEW public.saga_stuck AS
SELECT o.id,
       o.type,
       o.business_key,
       o.status,
       o.steps,
       o.waits_for,
       CASE WHEN o.status = 'PARKED' THEN o.reason || ': an operator has to decide'
            WHEN held.reason IS NOT NULL THEN held.reason
            ELSE 'overdue: its timer was due at ' || o.next_wake || ', is an orchestrator running?'
       END AS why,
       date_trunc('second', now() - CASE WHEN o.status = 'PARKED' THEN s.updated_at
                                         ELSE coalesce(held.since, s.wake_at) END) AS since
FROM public.saga_overview o
JOIN public.saga s ON s.id = o.id
CROSS JOIN LATERAL (
    SELECT min(w.value #>> '{held,reason}') AS reason, min((w.value #>> '{held,since}')::timestamptz) AS since
    FROM jsonb_each(s.waiting) AS w
) AS held
WHERE s.look_at IS NOT NULL
  -- Orchestrators sweep at least every half second; ten times that is no accident.
  AND (s.status = 'PARKED' OR held.reason IS NOT NULL OR s.wake_at < now() - interval '5 seconds');

COMMENT ON VIEW public.saga_stuck IS 'Sagas that need somebody: parked, overdue because no orchestrator looks after them, or waiting for a command to be published.';
COMMENT ON COLUMN public.saga_stuck.id IS 'saga.id.';
COMMENT ON COLUMN public.saga_stuck.type IS 'Name of its definition.';
COMMENT ON COLUMN public.saga_stuck.business_key IS 'The key it was started under.';
COMMENT ON COLUMN public.saga_stuck.status IS 'PARKED, or STARTED or ABORTING when overdue or held up.';
COMMENT ON COLUMN public.saga_stuck.steps IS 'As in saga_overview.';
COMMENT ON COLUMN public.saga_stuck.waits_for IS 'As in saga_overview; when PARKED, also what was waited for last.';
COMMENT ON COLUMN public.saga_stuck.why IS 'What is wrong.';
COMMENT ON COLUMN public.saga_stuck.since IS 'For how long.';

CREATE VIEW public.saga_timeline AS
SELECT h.saga_id,
       h.seq,
       h.at,
       round(extract(epoch FROM h.at - s.started_at) * 1000, 1) AS elapsed_ms,
       CASE h.kind
           WHEN 'start' THEN 'started'
           WHEN 'reply' THEN h.step || ' answered ' || h.operation
                || CASE WHEN h.attempt > 1 THEN ', attempt ' || h.attempt ELSE '' END
                || ': ' || h.outcome || coalesce(': ' || public.saga_problem(h.problem), '')
           -- The deadline is of no step, and neither is a timer that was late.
           WHEN 'timer' THEN 'timer' || CASE WHEN h.attempt IS NOT NULL
                                             THEN ' of ' || h.operation || ' ' || h.step || ', attempt ' || h.attempt
                                             ELSE coalesce(' of ' || h.step, '') END
           WHEN 'signal' THEN 'signal' || coalesce(' for ' || h.step, '') || coalesce(' by ' || h.who, '')
           WHEN 'migrate' THEN h.who || ' migrated it'
           ELSE h.who || ' told it to ' || h.kind || CASE WHEN h.kind = 'skip' THEN coalesce(' ' || h.step, '') ELSE '' END
       END
       || CASE WHEN h.disposition <> 'advanced' THEN ' [' || h.disposition || ': ' || h.detail || ']'
               -- What another step than the one that answered has turned back says why.
               WHEN coalesce(h.from_status, 'STARTED') = 'STARTED' AND h.to_status IN ('ABORTING', 'ABORTED')
                AND (h.kind = 'start' OR h.outcome = 'succeeded') THEN ' (' || h.detail || ')'
               WHEN h.kind = 'start' OR h.outcome IN ('succeeded', 'confirmed', 'compensated') THEN ''
               -- What a refusal leads to follows after the arrow.
               WHEN h.outcome = 'failed' AND (h.sent <> '{}' OR h.from_status <> h.to_status) THEN ''
               ELSE ' (' || h.detail || ')'
          END
       || CASE WHEN h.sent = '{}' THEN ''
               ELSE ' → ' || regexp_replace(regexp_replace(array_to_string(h.sent, ' and '), ' #1\M', '', 'g'),
                                            ' #([0-9]+)', ', attempt \1', 'g')
          END
       || CASE WHEN coalesce(h.from_status, 'STARTED') <> h.to_status THEN ' → ' || h.to_status ELSE '' END
       AS sentence,
       h.message_id,
       h.kind,
       h.step,
       h.operation,
       h.attempt,
       h.outcome,
       h.disposition,
       h.detail,
       h.problem,
       h.who
FROM public.saga_history h
JOIN public.saga s ON s.id = h.saga_id;

COMMENT ON VIEW public.saga_timeline IS 'The history as sentences. Ask for one saga_id and ORDER BY seq. An arrow leads to what was sent and to a new status; brackets hold what was recorded without effect.';
COMMENT ON COLUMN public.saga_timeline.saga_id IS 'saga.id.';
COMMENT ON COLUMN public.saga_timeline.seq IS 'Order of the events, from 1.';
COMMENT ON COLUMN public.saga_timeline.at IS 'When it happened.';
COMMENT ON COLUMN public.saga_timeline.elapsed_ms IS 'Milliseconds since the saga was started.';
COMMENT ON COLUMN public.saga_timeline.sentence IS 'What happened.';
COMMENT ON COLUMN public.saga_timeline.message_id IS 'AMQP message_id of the reply, where it was one.';
COMMENT ON COLUMN public.saga_timeline.kind IS 'As in saga_history; so are the columns that follow.';
COMMENT ON COLUMN public.saga_timeline.step IS 'Step that the event is about.';
COMMENT ON COLUMN public.saga_timeline.operation IS 'Operation that the event is about.';
COMMENT ON COLUMN public.saga_timeline.attempt IS 'Attempt that a reply answers, or whose time was over.';
COMMENT ON COLUMN public.saga_timeline.outcome IS 'What a reply said.';
COMMENT ON COLUMN public.saga_timeline.disposition IS 'What became of the event: advanced, or recorded only, or parked.';
COMMENT ON COLUMN public.saga_timeline.detail IS 'Why.';
COMMENT ON COLUMN public.saga_timeline.problem IS 'Why a reply says failed or retry, in the participant''s words.';
COMMENT ON COLUMN public.saga_timeline.who IS 'Operator, where one acted, or who signalled.';
