-- What a watcher has heard of services that work together without an orchestrator. It
-- starts nothing and steers nothing: it compares the facts that it hears with a plan.

-- One row for each course, by the correlation id of its facts. The plan is in the row: a
-- course keeps the one with which it began, and there is nothing else to look it up in.
CREATE TABLE public.saga_watch (
    id                 uuid        NOT NULL,
    type               text        NOT NULL,
    definition_version integer     NOT NULL,
    business_key       text,
    status             text        NOT NULL,
    events             jsonb       NOT NULL,
    started_at         timestamptz NOT NULL,
    updated_at         timestamptz NOT NULL,
    due_at             timestamptz,
    ended_at           timestamptz,
    CONSTRAINT saga_watch_pkey PRIMARY KEY (id, type),
    CONSTRAINT saga_watch_type_given CHECK (type <> ''),
    CONSTRAINT saga_watch_version_positive CHECK (definition_version > 0),
    CONSTRAINT saga_watch_business_key_fits CHECK (octet_length(business_key) BETWEEN 1 AND 255),
    CONSTRAINT saga_watch_status_known CHECK (status IN ('STARTED', 'COMPLETED', 'ABORTING', 'ABORTED')),
    CONSTRAINT saga_watch_has_ended CHECK ((status IN ('COMPLETED', 'ABORTED')) = (ended_at IS NOT NULL)),
    -- What has not ended misses something that is due at some time: nothing is open for ever without being late.
    CONSTRAINT saga_watch_is_due CHECK ((ended_at IS NULL) = (due_at IS NOT NULL)),
    CONSTRAINT saga_watch_events_known CHECK (jsonb_typeof(events) = 'array' AND NOT jsonb_path_exists(events,
        'strict $[*] ? (!exists(@.name) || !exists(@.from) || (@.role != "expected" && @.role != "abort" && @.role != "undo"))')),
    -- A course is known by something that was heard.
    CONSTRAINT saga_watch_something_heard CHECK (jsonb_path_exists(events, '$[*] ? (exists(@.heard))')),
    CONSTRAINT saga_watch_heard_is_not_missing CHECK (NOT jsonb_path_exists(events, '$[*] ? (@.missing == true && exists(@.heard))')),
    CONSTRAINT saga_watch_missing_has_not_ended CHECK (jsonb_path_exists(events, '$[*] ? (@.missing == true)') = (ended_at IS NULL)),
    CONSTRAINT saga_watch_goes_back_after_an_abort
        CHECK (jsonb_path_exists(events, '$[*] ? (@.role == "abort" && exists(@.heard))') = (status IN ('ABORTING', 'ABORTED'))),
    CONSTRAINT saga_watch_completed_has_all
        CHECK (status <> 'COMPLETED' OR NOT jsonb_path_exists(events, '$[*] ? (@.role == "expected" && !exists(@.heard))')),
    CONSTRAINT saga_watch_order_of_times CHECK (updated_at >= started_at AND (ended_at IS NULL OR ended_at >= started_at))
);

-- What is open is little beside what has ended: the first index has what may be late, the
-- second what may be deleted.
CREATE INDEX saga_watch_due ON public.saga_watch (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX saga_watch_ended ON public.saga_watch (ended_at) WHERE ended_at IS NOT NULL;

COMMENT ON TABLE public.saga_watch IS 'Where each watched course of a choreography stands. For reading, the view saga_overview is kinder. A row may be deleted at any time: what is heard later begins it anew.';
COMMENT ON COLUMN public.saga_watch.id IS 'AMQP correlation_id of its facts.';
COMMENT ON COLUMN public.saga_watch.type IS 'Name of the choreography.';
COMMENT ON COLUMN public.saga_watch.definition_version IS 'Its version when the course began.';
COMMENT ON COLUMN public.saga_watch.business_key IS 'Subject of the first event of the plan; NULL until it is heard.';
COMMENT ON COLUMN public.saga_watch.status IS 'STARTED, COMPLETED (all that was expected was heard), ABORTING (an abort was heard), ABORTED (and all that undoes it).';
COMMENT ON COLUMN public.saga_watch.events IS 'The plan and what is known: [{"name", "from", "role": expected|abort|undo, "of": place of the abort that it undoes, "within": nanoseconds, "missing", "due", "heard"}, …]. What does not apply is left out.';
COMMENT ON COLUMN public.saga_watch.started_at IS 'When the first of its events was heard.';
COMMENT ON COLUMN public.saga_watch.updated_at IS 'When an event was heard last that had not been heard.';
COMMENT ON COLUMN public.saga_watch.due_at IS 'When the first of the missing events has to be there: after it the course is late. NULL when none is missing.';
COMMENT ON COLUMN public.saga_watch.ended_at IS 'Since when none is missing.';
COMMENT ON INDEX public.saga_watch_due IS 'Courses that have not ended, by when they are late.';
COMMENT ON INDEX public.saga_watch_ended IS 'Courses that have ended, the oldest first.';

-- As in 0001, with one table more.
CREATE OR REPLACE FUNCTION public.saga_hidden() RETURNS bigint LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF pg_catalog.row_security_active('public.saga'::regclass)
    OR pg_catalog.row_security_active('public.saga_history'::regclass)
    OR pg_catalog.row_security_active('public.saga_definition'::regclass)
    OR pg_catalog.row_security_active('public.saga_watch'::regclass) THEN
        RAISE EXCEPTION 'row security hides sagas from the role %', current_user
            USING ERRCODE = 'insufficient_privilege',
                  HINT = pg_catalog.format('ALTER ROLE %I BYPASSRLS, or disable row security on the tables saga, saga_history, saga_definition and saga_watch.', current_user);
    END IF;
    RETURN 0;
END
$$;

CREATE VIEW public.saga_watched AS
SELECT w.id,
       w.type,
       w.business_key,
       -- Time alone makes it late, so nobody has to write that.
       CASE WHEN w.due_at < now() THEN 'LATE' ELSE w.status END AS status,
       e.steps,
       e.waits_for,
       NULL::timestamptz AS next_wake,
       date_trunc('second', coalesce(w.ended_at, now()) - w.started_at) AS age,
       nullif(concat_ws('; ', e.overdue, e.aborted, e.came_late), '') AS reason,
       date_trunc('second', w.started_at) AS started_at,
       e.missing
FROM public.saga_watch AS w
CROSS JOIN LATERAL (
    SELECT string_agg(p.name || ' ' || CASE
               WHEN p.role = 'abort' THEN '✗'
               WHEN p.missing THEN CASE p.role WHEN 'undo' THEN '↶…' ELSE '…' END
               WHEN p.heard IS NULL THEN '·'
               ELSE CASE p.role WHEN 'undo' THEN '↶' ELSE '✓' END
           END, ', ' ORDER BY p.place) FILTER (WHERE p.role = 'expected' OR p.heard IS NOT NULL OR p.missing) AS steps,
           string_agg(p.name || ' from ' || p.service, '; ' ORDER BY p.place) FILTER (WHERE p.missing) AS waits_for,
           string_agg(DISTINCT p.service, ', ') FILTER (WHERE p.late) || ' is missing: '
               || string_agg(p.name || ' was due at ' || to_char(p.due, 'HH24:MI:SS'), ', ' ORDER BY p.place) FILTER (WHERE p.late) AS overdue,
           string_agg(p.name || ' from ' || p.service, ', ' ORDER BY p.place) FILTER (WHERE p.role = 'abort' AND p.heard IS NOT NULL) AS aborted,
           'came late: ' || string_agg(p.name || ' from ' || p.service, ', ' ORDER BY p.place) FILTER (WHERE p.heard > p.due) AS came_late,
           coalesce(array_agg(DISTINCT p.service ORDER BY p.service) FILTER (WHERE p.late), '{}') AS missing
    FROM (
        SELECT given.place, given.event ->> 'name' AS name, given.event ->> 'from' AS service, given.event ->> 'role' AS role,
               coalesce((given.event ->> 'missing')::boolean, false) AS missing,
               (given.event ->> 'due')::timestamptz AS due, (given.event ->> 'heard')::timestamptz AS heard,
               coalesce((given.event ->> 'missing')::boolean AND (given.event ->> 'due')::timestamptz < now(), false) AS late
        FROM jsonb_array_elements(w.events) WITH ORDINALITY AS given (event, place)
    ) AS p
) AS e;

COMMENT ON VIEW public.saga_watched IS 'One line for each course of a choreography. Steps: … missing, ✓ heard, · not expected any more, ✗ says that it goes back, ↶… not undone yet, ↶ undone.';
COMMENT ON COLUMN public.saga_watched.id IS 'saga_watch.id.';
COMMENT ON COLUMN public.saga_watched.type IS 'Name of the choreography.';
COMMENT ON COLUMN public.saga_watched.business_key IS 'Subject of the first event of the plan.';
COMMENT ON COLUMN public.saga_watched.status IS 'As in saga_watch; LATE where an event is missing that had to be there by now.';
COMMENT ON COLUMN public.saga_watched.steps IS 'Every event of the plan in order, with a mark; those of ways back only where one is taken.';
COMMENT ON COLUMN public.saga_watched.waits_for IS 'The events that are missing, and from which service; NULL when none is.';
COMMENT ON COLUMN public.saga_watched.next_wake IS 'NULL: nobody acts by himself.';
COMMENT ON COLUMN public.saga_watched.age IS 'From the first event that was heard until nothing was missing, or until now.';
COMMENT ON COLUMN public.saga_watched.reason IS 'Which service is missing and since when, what says that it goes back, what came late.';
COMMENT ON COLUMN public.saga_watched.started_at IS 'When the first event was heard, to the second.';
COMMENT ON COLUMN public.saga_watched.missing IS 'The services of which an event is missing that had to be there by now; empty when it is not late.';

-- The view of 0004 is one of sagas that an orchestrator drives; the overview has both. OR
-- REPLACE, because the name alone does not tell that this file was run: the old view had it.
ALTER VIEW public.saga_overview RENAME TO saga_orchestrated;
COMMENT ON VIEW public.saga_orchestrated IS 'One line for each saga that an orchestrator drives. Steps: · not begun, … under way, ✓ succeeded, ✗ refused, ⟳ being confirmed, ✓✓ confirmed, ↶… being compensated, ↶ compensated, – not needed, skipped. Brackets hold steps that run side by side.';

CREATE OR REPLACE VIEW public.saga_overview AS
SELECT o.id, o.type, o.business_key, o.status, o.steps, o.waits_for, o.next_wake, o.age, o.reason, o.started_at
FROM public.saga_orchestrated AS o
UNION ALL
SELECT w.id, w.type, w.business_key, w.status, w.steps, w.waits_for, w.next_wake, w.age, w.reason, w.started_at
FROM public.saga_watched AS w;

COMMENT ON VIEW public.saga_overview IS 'One line a saga: those that an orchestrator drives, as saga_orchestrated has them, and those that are only watched, as saga_watched has them.';
COMMENT ON COLUMN public.saga_overview.id IS 'saga.id, or saga_watch.id.';
COMMENT ON COLUMN public.saga_overview.type IS 'Name of its definition.';
COMMENT ON COLUMN public.saga_overview.business_key IS 'What the services call it, NULL if nothing.';
COMMENT ON COLUMN public.saga_overview.status IS 'STARTED, COMPLETED, ABORTING or ABORTED; PARKED or KILLED where an orchestrator drives it, LATE where it is watched.';
COMMENT ON COLUMN public.saga_overview.steps IS 'Every step of the plan, or every event, in order, with a mark.';
COMMENT ON COLUMN public.saga_overview.waits_for IS 'What it waits for; NULL when for nothing.';
COMMENT ON COLUMN public.saga_overview.next_wake IS 'When the orchestrator acts by itself, to the second; NULL when it will not.';
COMMENT ON COLUMN public.saga_overview.age IS 'From the start until the end, or until now.';
COMMENT ON COLUMN public.saga_overview.reason IS 'Why it stands still, goes or went back, or is late.';
COMMENT ON COLUMN public.saga_overview.started_at IS 'When it was started, to the second.';

-- As in 0004, with what is late.
CREATE OR REPLACE VIEW public.saga_stuck AS
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
FROM public.saga_orchestrated o
JOIN public.saga s ON s.id = o.id
CROSS JOIN LATERAL (
    SELECT min(w.value #>> '{held,reason}') AS reason, min((w.value #>> '{held,since}')::timestamptz) AS since
    FROM jsonb_each(s.waiting) AS w
) AS held
WHERE s.look_at IS NOT NULL
  AND (s.status = 'PARKED' OR held.reason IS NOT NULL OR s.wake_at < now() - interval '5 seconds')
UNION ALL
SELECT o.id, o.type, o.business_key, o.status, o.steps, o.waits_for, o.reason, date_trunc('second', now() - w.due_at)
FROM public.saga_watch AS w
JOIN public.saga_watched AS o ON o.id = w.id AND o.type = w.type
WHERE w.due_at < now();

COMMENT ON VIEW public.saga_stuck IS 'Sagas that need somebody: parked, overdue because no orchestrator looks after them, waiting for a command to be published, or watched and late.';
COMMENT ON COLUMN public.saga_stuck.id IS 'saga.id, or saga_watch.id.';
COMMENT ON COLUMN public.saga_stuck.status IS 'PARKED; STARTED or ABORTING when overdue or held up; LATE when it is watched.';
