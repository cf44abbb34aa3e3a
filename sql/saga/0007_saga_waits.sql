-- What each saga that has not ended waits for, one row a thing, since when and until when.
-- saga_overview has the same in short, from the saga's row alone; this view asks the relay
-- and the history, so that it also says what no timer has looked at yet.

CREATE VIEW public.saga_waits AS
SELECT s.id AS saga_id,
       thing.place,
       thing.step,
       thing.operation,
       thing.attempt,
       thing.waits_for,
       nullif(concat_ws('; ', thing.why,
           CASE WHEN timed.yes AND thing.until < now() - interval '5 seconds' THEN 'overdue, is an orchestrator running?' END), '') AS why,
       thing.since,
       CASE WHEN timed.yes THEN thing.until END AS until
FROM public.saga s
JOIN public.saga_definition d ON d.name = s.type AND d.version = s.definition_version
CROSS JOIN LATERAL (SELECT s.status IN ('STARTED', 'ABORTING') AND NOT s.paused AS yes) AS timed
CROSS JOIN LATERAL public.saga_sent(s.id, s.sent_xact) AS relay
CROSS JOIN LATERAL (
    SELECT 0::bigint AS place, NULL::text AS step, NULL::text AS operation, NULL::integer AS attempt, 'resume' AS waits_for,
           h.who || ': ' || h.detail AS why, h.at AS since, NULL::timestamptz AS until
    FROM (SELECT p.who, p.detail, p.at FROM public.saga_history p
          WHERE s.paused AND p.saga_id = s.id AND p.kind = 'pause' AND p.disposition = 'advanced' ORDER BY p.seq DESC LIMIT 1) AS h
    UNION ALL
    SELECT open.place, open.step, open.operation, open.attempt,
           CASE
               WHEN open.parked THEN 'decision'
               WHEN open.attempt IS NULL THEN open.kind
               WHEN open.answered THEN 'pause'
               WHEN held.reason LIKE 'waits for the relay%' OR held.reason LIKE 'waits for a relay%' THEN 'relay'
               WHEN held.reason LIKE 'waits behind a parked message%' OR held.reason LIKE 'the relay has given up%' THEN 'parked message'
               WHEN held.reason LIKE 'waits for the queue%' THEN 'queue'
               WHEN held.reason LIKE 'waits for a consumer%' THEN 'consumer'
               WHEN held.reason LIKE 'waits for the broker%' THEN 'broker'
               ELSE 'answer'
           END,
           CASE
               WHEN open.parked THEN concat_ws(': ', verdict.detail, verdict.said)
               WHEN open.kind = 'signal' THEN 'if nobody signals in time: ' || open.on_timeout
               WHEN open.attempt IS NULL THEN NULL
               WHEN open.answered THEN 'answered ' || said.outcome || coalesce(': ' || said.words, '')
               ELSE nullif(concat_ws('; ', held.reason, CASE WHEN open.retried > 0
                    THEN 'answered retry ' || open.retried || ' times' || coalesce(', last: ' || said.words, '') END), '')
           END,
           CASE
               WHEN open.parked THEN verdict.at
               WHEN open.attempt IS NULL THEN open.wake_at - open.lasts
               WHEN open.answered THEN said.at
               ELSE coalesce(held.since, sent.at)
           END,
           CASE WHEN NOT open.parked THEN open.wake_at END
    FROM (
        SELECT step.place, step.plan ->> 'name' AS step, step.plan ->> 'kind' AS kind, step.plan ->> 'on_timeout' AS on_timeout,
               -- Durations of less than a millisecond are spelled as PostgreSQL does not know them.
               CASE WHEN step.plan ->> 'wait' ~ '^[0-9.hms]+$' THEN (step.plan ->> 'wait')::interval END AS lasts,
               CASE WHEN wait.known ? 'attempt' THEN wait.known ->> 'operation' END AS operation,
               (wait.known ->> 'attempt')::integer AS attempt,
               (wait.known ->> 'wake_at')::timestamptz AS wake_at,
               wait.known ? 'park' OR NOT wait.known ? 'operation' AS parked,
               wait.known #>> '{retried,attempt}' = wait.known ->> 'attempt' AS answered,
               (wait.known #>> '{retried,times}')::integer AS retried,
               wait.known #>> '{held,reason}' AS held,
               (wait.known #>> '{held,since}')::timestamptz AS held_since
        FROM jsonb_array_elements(d.spec -> 'steps') WITH ORDINALITY AS step (plan, place)
        CROSS JOIN LATERAL (SELECT s.waiting -> (step.plan ->> 'name') AS known) AS wait
        WHERE s.waiting ? (step.plan ->> 'name')
    ) AS open
    -- The last time that the attempt was sent.
    LEFT JOIN LATERAL (
        SELECT h.at, h.seq, h.seq = (SELECT max(l.seq) FROM public.saga_history l WHERE l.saga_id = s.id AND l.sent <> '{}') AS last
        FROM public.saga_history h
        WHERE h.saga_id = s.id AND h.sent @> ARRAY[open.operation || ' ' || open.step || ' #' || open.attempt]
        ORDER BY h.seq DESC
        LIMIT 1
    ) AS sent ON true
    -- What is known of its way now. Where nobody can tell, or it was not the last to be sent,
    -- what was seen when its time was over is all that there is. What the saga waits for while
    -- another step is parked may be the event that tells of that.
    CROSS JOIN LATERAL (
        SELECT sent.last AND s.status <> 'PARKED' AND relay.held IS NOT NULL AS held,
               sent.last AND s.status <> 'PARKED' AND relay.held IS NULL AND relay.shard IS NOT NULL
                   AND open.held ~ '^waits (for the relay|for a relay|behind a parked message)' AS published
    ) AS seen
    CROSS JOIN LATERAL (
        SELECT CASE WHEN seen.held THEN relay.held WHEN seen.published THEN NULL ELSE open.held END AS reason,
               CASE WHEN seen.held THEN relay.since WHEN seen.published THEN NULL ELSE open.held_since END AS since
    ) AS held
    -- The last answer that was not decisive.
    LEFT JOIN LATERAL (
        SELECT h.at, h.outcome, public.saga_problem(h.problem) AS words
        FROM public.saga_history h
        WHERE h.saga_id = s.id AND h.kind = 'reply' AND h.step = open.step AND h.operation = open.operation
          AND h.outcome IN ('retry', 'failed') AND h.disposition = 'advanced'
        ORDER BY h.seq DESC
        LIMIT 1
    ) AS said ON true
    -- What parked it. A timer that parks several steps names the first.
    LEFT JOIN LATERAL (
        SELECT h.at, h.detail, public.saga_problem(h.problem) AS said
        FROM public.saga_history h
        WHERE open.parked AND h.saga_id = s.id AND h.disposition = 'parked'
        ORDER BY h.step = open.step DESC NULLS LAST, h.seq DESC
        LIMIT 1
    ) AS verdict ON true
    UNION ALL
    SELECT 1000000, NULL, NULL, NULL, 'deadline', 'then it goes back', s.started_at, s.deadline
    WHERE s.deadline IS NOT NULL
) AS thing
WHERE s.look_at IS NOT NULL;

COMMENT ON VIEW public.saga_waits IS 'What a saga waits for, since when and until when. Ask for one saga_id and ORDER BY place.';
COMMENT ON COLUMN public.saga_waits.saga_id IS 'saga.id.';
COMMENT ON COLUMN public.saga_waits.place IS 'Order of the steps in the plan.';
COMMENT ON COLUMN public.saga_waits.step IS 'Step that is open; NULL where the whole saga waits.';
COMMENT ON COLUMN public.saga_waits.operation IS 'Operation that is under way.';
COMMENT ON COLUMN public.saga_waits.attempt IS 'Attempt that is under way; NULL where nobody is asked.';
COMMENT ON COLUMN public.saga_waits.waits_for IS 'answer: of the participant. pause: before the command is sent again. relay: to publish the command. parked message: which the relay tries again, or has given up. queue: of the participant, to exist. consumer: to take the command from its queue. broker: to be asked about that. delay: to be over. signal: from outside. decision: of an operator. resume: by an operator. deadline: of the saga.';
COMMENT ON COLUMN public.saga_waits.why IS 'The reason in words, with those of the participant; NULL where there is no more to say.';
COMMENT ON COLUMN public.saga_waits.since IS 'When it began to wait for that, as far as is known.';
COMMENT ON COLUMN public.saga_waits.until IS 'When the orchestrator acts by itself: sends again, gives up, goes on, or looks again at what is held up. NULL where it does not.';
