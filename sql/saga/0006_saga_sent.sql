-- What has become of the commands that a saga has sent last, so that no attempt is spent on
-- one that was not published. Their transaction says it, by the relay's position; behind a
-- parked message of the saga the others wait.

-- Definers, because who drives sagas needs no right to read how far the relay is. Where the
-- owner may not, or the numbers are those of another database, nothing can be told: then
-- the commands count as published, as they did when they were sent.
CREATE FUNCTION public.saga_relay_state() RETURNS text
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    SET row_security = off AS
$$
BEGIN
    IF to_regclass('public.outbox_position') IS NULL THEN RETURN 'unserved'; END IF;
    IF NOT has_table_privilege('public.outbox_position', 'SELECT')
    OR NOT has_table_privilege('public.outbox_parked', 'SELECT') THEN
        RETURN 'unknown';
    END IF;
    IF public.outbox_in_service() THEN RETURN 'served'; END IF;
    IF public.outbox_position_is_foreign() THEN RETURN 'unknown'; END IF;
    RETURN 'unserved';
END
$$;
COMMENT ON FUNCTION public.saga_relay_state() IS
    'served: a relay serves the outbox of this database, or did. unserved: none ever did. unknown: that cannot be told, for example after a dump was restored.';

CREATE FUNCTION public.saga_settled() RETURNS text[]
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    SET row_security = off AS
$$
BEGIN
    IF public.saga_relay_state() <> 'served' THEN RETURN '{}'; END IF;
    RETURN ARRAY(SELECT p.settled::text FROM public.outbox_position AS p ORDER BY p.shard);
END
$$;
COMMENT ON FUNCTION public.saga_settled() IS
    'outbox_position.settled of each shard, in order; empty where no relay serves the outbox or nothing can be told.';

CREATE FUNCTION public.saga_sent(saga uuid, xact xid8, OUT shard integer, OUT held text, OUT since timestamptz, OUT dead boolean)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    SET row_security = off AS
$$
#variable_conflict use_variable
DECLARE
    relay CONSTANT text := public.saga_relay_state();
    seen  boolean;
    first record;
    called record;
BEGIN
    -- A number from the future is of another database.
    IF xact IS NULL OR relay = 'unknown' OR xact >= pg_snapshot_xmax(pg_current_snapshot()) THEN RETURN; END IF;
    IF relay = 'unserved' THEN
        held := 'waits for a relay: none serves this database';
        RETURN;
    END IF;
    SELECT p.shard, pg_visible_in_snapshot(xact, p.settled) INTO shard, seen
      FROM public.outbox_position AS p
     WHERE p.shard = public.outbox_shard(saga::text, (SELECT count(*)::integer FROM public.outbox_position));
    SELECT k.state, k.reason, k.parked_at INTO first
      FROM public.outbox_parked AS k
     WHERE k.aggregate_id = saga::text AND k.state IN ('retry', 'waiting', 'dead')
     ORDER BY k.id LIMIT 1;
    IF FOUND THEN
        dead := first.state = 'dead';
        since := first.parked_at;
        held := CASE WHEN dead THEN 'the relay has given up a message: ' ELSE 'waits behind a parked message: ' END
             || coalesce(first.reason, 'to be tried again');
    ELSIF NOT seen THEN
        held := 'waits for the relay';
    ELSE
        -- What is carried by calls keeps nothing else back, so only these messages count.
        SELECT k.state, k.parked_at, k.error, k.routing_key INTO called
          FROM public.outbox_parked AS k
          JOIN public.outbox AS o ON o.id = k.id AND o.event_id = k.event_id
         WHERE k.aggregate_id = saga::text AND (k.state = 'http' AND k.accepted_at IS NULL OR k.state = 'http_dead') AND o.xact = xact
         ORDER BY k.state = 'http', k.id LIMIT 1;
        IF FOUND THEN
            since := called.parked_at;
            dead := called.state = 'http_dead';
            held := CASE WHEN dead THEN 'the relay has given up a call of ' ELSE 'waits for ' END || called.routing_key || coalesce(': ' || called.error, '');
        END IF;
    END IF;
END
$$;
COMMENT ON FUNCTION public.saga_sent(uuid, xid8) IS
    'Why the messages that a saga has sent last, in the transaction xact, are not published: held, null where they are or where nobody can tell; since is when the parked message was. shard is theirs. dead: the relay tries no more.';
