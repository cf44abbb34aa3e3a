-- Messages that left the log's order: refused by the broker, waiting behind a refused
-- one of their aggregate, or not due yet. The position passes them, so this table is
-- what keeps them from being lost; a row leaves it only when the broker has confirmed
-- the message.

CREATE TABLE public.outbox_parked (
    id           bigint      NOT NULL,
    event_id     uuid,
    aggregate_id text        NOT NULL,
    exchange     text        NOT NULL,
    routing_key  text        NOT NULL,
    state        text        NOT NULL,
    reason       text,
    error        text,
    attempts     integer     NOT NULL DEFAULT 0,
    next_at      timestamptz,
    parked_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    tried_at     timestamptz,
    accepted_at  timestamptz,
    note         text,
    CONSTRAINT outbox_parked_pkey PRIMARY KEY (id),
    CONSTRAINT outbox_parked_state_known
        CHECK (state IN ('scheduled', 'retry', 'http', 'http_dead', 'waiting', 'dead', 'discarded')),
    CONSTRAINT outbox_parked_reason_known
        CHECK (reason IN ('unroutable', 'nacked', 'invalid', 'fatal', 'unreadable', 'refused', 'unreachable', 'unanswered')),
    CONSTRAINT outbox_parked_time_where_needed
        CHECK ((next_at IS NOT NULL) = (state IN ('scheduled', 'retry', 'http'))),
    CONSTRAINT outbox_parked_dead_has_reason CHECK (state NOT IN ('dead', 'http_dead') OR reason IS NOT NULL),
    CONSTRAINT outbox_parked_discarded_has_note CHECK (state <> 'discarded' OR note <> ''),
    CONSTRAINT outbox_parked_attempts_count CHECK (attempts >= 0)
);

-- What is due, oldest first.
CREATE INDEX outbox_parked_next_at_idx ON public.outbox_parked (next_at, id) WHERE next_at IS NOT NULL;
-- The rows of an aggregate that has to wait, in order.
CREATE INDEX outbox_parked_blocked_idx ON public.outbox_parked (aggregate_id, id)
    WHERE state IN ('retry', 'waiting', 'dead');
-- The rows of an aggregate that are carried by calls.
CREATE INDEX outbox_parked_called_idx ON public.outbox_parked (aggregate_id) WHERE state IN ('http', 'http_dead');
-- The rows that a destination refused, for the moment when it takes one again.
CREATE INDEX outbox_parked_destination_idx ON public.outbox_parked (exchange, routing_key, next_at) WHERE state IN ('retry', 'http');

COMMENT ON TABLE public.outbox_parked IS
    'Messages that could not be published in their turn, and why. Each is tried again, waits for one of its aggregate, is due later, or is dead and needs an operator: see `relay parked`. No message is ever dropped from here without being published.';
COMMENT ON COLUMN public.outbox_parked.id IS 'outbox.id of the message.';
COMMENT ON COLUMN public.outbox_parked.event_id IS 'outbox.event_id of the message. An id may be given again, after a TRUNCATE for example: what stands here is of the row with both. Null where the row''s could not be read; then the id alone says it.';
COMMENT ON COLUMN public.outbox_parked.aggregate_id IS 'outbox.aggregate_id of the message, whose later messages wait; a name made of the id where it could not be read, and then none waits.';
COMMENT ON COLUMN public.outbox_parked.exchange IS 'outbox.exchange of the message.';
COMMENT ON COLUMN public.outbox_parked.routing_key IS 'outbox.routing_key of the message.';
COMMENT ON COLUMN public.outbox_parked.state IS 'retry: will be tried at next_at. http: carried by a call that is not answered yet, and called again at next_at at the earliest; nothing waits for it. http_dead: not called any more, needs an operator. waiting: behind an earlier message of its aggregate. dead: not tried any more, needs an operator, and its aggregate waits. scheduled: will be published at next_at for the first time, or once more. discarded: an operator gave it up.';
COMMENT ON COLUMN public.outbox_parked.reason IS 'Why the last attempt failed. unroutable: no queue is bound. nacked: the broker refused it, for example a full queue. invalid: the protocol cannot carry it. fatal: the broker ended the session because of it, for example because there is no such exchange. unreadable: its row cannot be read, or holds what no message can. Of calls, refused: the target must not be called. unreachable: the receiver cannot be reached, or takes nothing now. unanswered: it has had the message, and whether it acted on it is not known. Null before the first attempt.';
COMMENT ON COLUMN public.outbox_parked.error IS 'The last attempt''s error in words.';
COMMENT ON COLUMN public.outbox_parked.attempts IS 'Attempts that failed.';
COMMENT ON COLUMN public.outbox_parked.next_at IS 'When it is due, by the database''s clock.';
COMMENT ON COLUMN public.outbox_parked.parked_at IS 'When it came here.';
COMMENT ON COLUMN public.outbox_parked.tried_at IS 'When it was last tried.';
COMMENT ON COLUMN public.outbox_parked.accepted_at IS 'When the receiver of a call had the whole message for the first time; null before, and for what the broker carries.';
COMMENT ON COLUMN public.outbox_parked.note IS 'The operator''s words.';

-- The relay keeps in memory which aggregates wait, so it has to hear of every change
-- that it did not make. It writes its position before the parked messages, so a change
-- by others begins with this, too: who has the position's rows meets no lock on a parked
-- message in the wrong order, and finds the messages as the relay left them.
CREATE FUNCTION public.outbox_parked_changed() RETURNS void
    LANGUAGE sql AS
$$ UPDATE public.outbox_position AS p
      SET parked_version = p.parked_version + 1
     FROM (SELECT l.shard FROM public.outbox_position AS l ORDER BY l.shard FOR UPDATE) AS locked
    WHERE p.shard = locked.shard $$;
COMMENT ON FUNCTION public.outbox_parked_changed() IS
    'Tells running relays that somebody else changes outbox_parked, and keeps them from writing there until the transaction ends. Call it before the change.';

-- Makes the first parked message of each of the aggregates one to be tried, if it only
-- waits: the one before it has gone.
CREATE FUNCTION public.outbox_parked_promote(aggregate_ids text[]) RETURNS void
    LANGUAGE sql AS
$$
    UPDATE public.outbox_parked AS p
       SET state = 'retry', next_at = pg_catalog.clock_timestamp()
      FROM pg_catalog.unnest(aggregate_ids) AS a (aggregate_id)
     CROSS JOIN LATERAL (
           SELECT f.id FROM public.outbox_parked AS f
            WHERE f.aggregate_id = a.aggregate_id AND f.state IN ('retry', 'waiting', 'dead')
            ORDER BY f.id LIMIT 1) AS first
     WHERE p.id = first.id AND p.state = 'waiting'
$$;
COMMENT ON FUNCTION public.outbox_parked_promote(text[]) IS
    'Lets the first parked message of each aggregate be tried, where nothing is before it any more. The relay calls it.';

CREATE FUNCTION public.outbox_parked_retry(ids bigint[], note text DEFAULT NULL) RETURNS bigint
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp AS
$$
#variable_conflict use_variable
DECLARE
    changed bigint;
BEGIN
    PERFORM public.outbox_parked_changed();
    -- parked_at is when its time to be tried begins.
    UPDATE public.outbox_parked AS p
       SET state = CASE WHEN p.state IN ('http', 'http_dead') THEN 'http' ELSE 'retry' END, next_at = clock_timestamp(), parked_at = clock_timestamp(),
           note = coalesce(nullif(note, ''), p.note)
     WHERE p.id = ANY (ids) AND p.state IN ('retry', 'dead', 'http', 'http_dead');
    GET DIAGNOSTICS changed = ROW_COUNT;
    RETURN changed;
END
$$;
COMMENT ON FUNCTION public.outbox_parked_retry(bigint[], text) IS
    'Tries dead messages again, and those that are to be tried later at once. Messages that wait are not changed: the one before them has to go first. Returns the number of messages.';

CREATE FUNCTION public.outbox_parked_discard(ids bigint[], note text) RETURNS bigint
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp AS
$$
#variable_conflict use_variable
DECLARE
    aggregates text[];
    changed bigint;
BEGIN
    IF coalesce(note, '') = '' THEN
        RAISE EXCEPTION 'outbox_parked_discard: say why: note is empty' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    PERFORM public.outbox_parked_changed();
    WITH gone AS (
        UPDATE public.outbox_parked AS p
           SET state = 'discarded', next_at = NULL, note = note
         WHERE p.id = ANY (ids) AND p.state <> 'discarded'
        RETURNING p.aggregate_id)
    SELECT count(*), array_agg(DISTINCT g.aggregate_id) INTO changed, aggregates FROM gone AS g;
    PERFORM public.outbox_parked_promote(aggregates);
    RETURN changed;
END
$$;
COMMENT ON FUNCTION public.outbox_parked_discard(bigint[], text) IS
    'Gives parked messages up, with a reason: they are never published, the later ones of their aggregates go on. They stay here to be seen for as long as the outbox keeps them. Returns the number of messages.';

-- A published row that is set here as scheduled goes out once more, under its own id.
-- All of one call are due at the same moment, and so in the order of their ids. What
-- was discarded begins anew.
CREATE FUNCTION public.outbox_replay(ids bigint[], note text DEFAULT NULL) RETURNS bigint
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp AS
$$
#variable_conflict use_variable
DECLARE
    changed bigint;
BEGIN
    PERFORM public.outbox_parked_changed();
    INSERT INTO public.outbox_parked AS p (id, event_id, aggregate_id, exchange, routing_key, state, next_at, note)
    SELECT o.id, o.event_id, o.aggregate_id, o.exchange, o.routing_key, 'scheduled', now(), nullif(note, '')
    FROM public.outbox_overview AS v JOIN public.outbox AS o ON o.id = v.id
    WHERE v.id = ANY (ids) AND v.state IN ('published', 'discarded')
    ON CONFLICT (id) DO UPDATE
       SET event_id = excluded.event_id, aggregate_id = excluded.aggregate_id,
           exchange = excluded.exchange, routing_key = excluded.routing_key,
           state = 'scheduled', reason = NULL, error = NULL, attempts = 0, next_at = excluded.next_at,
           parked_at = excluded.parked_at, tried_at = NULL, note = excluded.note
     WHERE p.state = 'discarded' OR p.event_id <> excluded.event_id;
    GET DIAGNOSTICS changed = ROW_COUNT;
    RETURN changed;
END
$$;
COMMENT ON FUNCTION public.outbox_replay(bigint[], text) IS
    'Publishes messages once more that were published, or discarded, and are still kept; others are left alone. Returns the number of messages.';

-- Each branch walks an index from its start and stops at the first that counts; published
-- rows are not visited, but for those of transactions that ran when the position was taken.
CREATE FUNCTION public.outbox_unpublished() RETURNS bigint
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    SET row_security = off AS
$$
    SELECT min(u.id) FROM (
        (SELECT o.id FROM public.outbox AS o WHERE NOT public.outbox_in_service() LIMIT 1)
        UNION ALL
        (SELECT r.id
           FROM public.outbox_position AS p
          CROSS JOIN (SELECT count(*)::integer AS shards FROM public.outbox_position) AS n
          CROSS JOIN LATERAL (
                SELECT o.id, o.xact, o.aggregate_id FROM public.outbox AS o
                 WHERE o.xact >= pg_snapshot_xmax(p.settled)
                UNION ALL
                SELECT o.id, o.xact, o.aggregate_id FROM public.outbox AS o
                 WHERE o.xact = ANY (ARRAY(SELECT pg_snapshot_xip(p.settled)))) AS r
          WHERE public.outbox_shard(r.aggregate_id, n.shards) = p.shard
            AND (p.window_end IS NULL OR r.id > p.last_id OR NOT pg_visible_in_snapshot(r.xact, p.window_end))
          LIMIT 1)
        UNION ALL
        (SELECT k.id FROM public.outbox_parked AS k
          WHERE k.state <> 'discarded'
            AND EXISTS (SELECT FROM public.outbox AS o WHERE o.id = k.id AND (k.event_id IS NULL OR k.event_id = o.event_id))
          LIMIT 1)
    ) AS u
$$;
COMMENT ON FUNCTION public.outbox_unpublished() IS
    'The id of a message that is neither published nor discarded; null where there is none.';
