-- Partitions of the outbox: made ahead of need, dropped when published and old.
--
-- The partition with the highest ids is the reserve. It is far wider than the others, so
-- that rows for which nobody made partitions in time are in it and not in outbox_default:
-- what outbox_default holds is read through under lock each time a partition is attached.
-- While the reserve is empty, partitions are cut off from its start. Once it has been
-- written to, the sequence is moved behind it, so that it is dropped in its turn like any
-- other.
--
-- Every change takes the parent's ACCESS EXCLUSIVE lock, the weakest that lets no insert
-- fail: one that looked up the partitions before a change and draws its id after it
-- would be told that its row violates the partition constraint. Such a lock waits for
-- all who use the outbox and everybody else waits behind it, so the wait is bounded by
-- lock_timeout, and who is refused tries again later. Once the parent is locked, the
-- partitions are those of nobody but a VACUUM, or a transaction that is just letting go
-- of its locks: hence the 10 ms.

CREATE VIEW public.outbox_partitions AS
SELECT c.oid::regclass AS partition,
       b.bounds[1]::bigint AS first_id,
       b.bounds[2]::bigint - 1 AS last_id
FROM pg_inherits AS i
JOIN pg_class AS c ON c.oid = i.inhrelid
CROSS JOIN LATERAL (
    SELECT regexp_match(pg_get_expr(c.relpartbound, c.oid), $$FROM \('(\d+)'\) TO \('(\d+)'\)$$) AS bounds
) AS b
WHERE i.inhparent = 'public.outbox'::regclass AND b.bounds IS NOT NULL;
COMMENT ON VIEW public.outbox_partitions IS 'The partitions of outbox without outbox_default. The one with the highest ids is the reserve.';
COMMENT ON COLUMN public.outbox_partitions.partition IS 'The partition: a table.';
COMMENT ON COLUMN public.outbox_partitions.first_id IS 'The lowest id that it takes.';
COMMENT ON COLUMN public.outbox_partitions.last_id IS 'The highest id that it takes.';

CREATE FUNCTION public.outbox_last_id() RETURNS bigint
    LANGUAGE sql VOLATILE AS
$$ SELECT s.last_value - (NOT s.is_called)::integer FROM public.outbox_id_seq AS s $$;
COMMENT ON FUNCTION public.outbox_last_id() IS 'The id of the outbox that was drawn last, 0 before the first.';

-- The highest id that the sequence may have to draw behind. It never gets to the upper half
-- of the ids; set to one of them, it would soon be at the end, where each append fails.
CREATE FUNCTION public.outbox_highest_id() RETURNS bigint
    LANGUAGE sql STABLE
    SET row_security = off AS
$$ SELECT pg_catalog.max(o.id) FROM public.outbox AS o WHERE o.id <= 2000000000000000000 $$;
COMMENT ON FUNCTION public.outbox_highest_id() IS 'The highest id in the outbox, without those that the sequence never gets to; null where there is none.';

-- VACUUM and ANALYZE take this lock too: waiting for them would be in vain.
CREATE FUNCTION public.outbox_partitions_claim() RETURNS boolean
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp AS
$$
BEGIN
    LOCK TABLE ONLY public.outbox IN SHARE UPDATE EXCLUSIVE MODE NOWAIT;
    RETURN true;
EXCEPTION WHEN lock_not_available THEN
    RETURN false;
END
$$;
COMMENT ON FUNCTION public.outbox_partitions_claim() IS
    'Keeps other sessions from changing the partitions until the transaction ends; readers and writers go on. False where another one is at it.';

-- Rows that were copied in under ids of their own, by COPY or by logical replication, leave
-- the sequence behind: it would draw their ids again, and each append would fail. Writers are
-- not kept waiting: as long as it is behind, what they draw is below. As the owner, for
-- whoever notices first.
CREATE FUNCTION public.outbox_sequence_mend() RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    SET row_security = off AS
$$
DECLARE
    highest CONSTANT bigint := public.outbox_highest_id();
    behind  bigint;
BEGIN
    IF coalesce(highest <= public.outbox_last_id(), true) OR NOT public.outbox_partitions_claim() THEN RETURN 0; END IF;
    behind := highest - public.outbox_last_id(); -- another session may have done it
    IF behind <= 0 THEN RETURN 0; END IF;
    PERFORM setval('public.outbox_id_seq', highest);
    RETURN behind;
END
$$;
COMMENT ON FUNCTION public.outbox_sequence_mend() IS
    'Sets the sequence of ids behind the highest id, where rows were copied in under ids of their own. Returns by how much it was behind, 0 where it was not, or where another session changes the partitions.';

-- The partition belongs to the owner of the outbox, whoever of its members made it. Who
-- may read the outbox may read the partition: the relay measures a large window in each.
CREATE FUNCTION public.outbox_partition_add(first_id bigint, width bigint) RETURNS void
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp AS
$$
DECLARE
    parent record;
    name   text;
    reader oid;
BEGIN
    SELECT c.relnamespace::regnamespace AS schema, c.relowner::regrole AS owner, c.relacl AS rights INTO parent
      FROM pg_class AS c WHERE c.oid = 'public.outbox'::regclass;
    name := format('%s.%I', parent.schema, 'outbox_p' || first_id);
    EXECUTE format('CREATE TABLE %s (LIKE public.outbox INCLUDING ALL EXCLUDING IDENTITY)', name);
    EXECUTE format('CREATE TRIGGER outbox_truncated BEFORE TRUNCATE ON %s FOR EACH STATEMENT EXECUTE FUNCTION public.outbox_truncate()', name);
    EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER outbox_truncated', name);
    EXECUTE format('ALTER TABLE %s OWNER TO %s', name, parent.owner);
    FOR reader IN SELECT DISTINCT a.grantee FROM aclexplode(parent.rights) AS a WHERE a.privilege_type = 'SELECT' LOOP
        EXECUTE format('GRANT SELECT ON %s TO %s', name, CASE reader WHEN 0 THEN 'PUBLIC' ELSE reader::regrole::text END);
    END LOOP;
    EXECUTE format('ALTER TABLE public.outbox ATTACH PARTITION %s FOR VALUES FROM (%s) TO (%s)',
                   name, first_id, first_id + width);
END
$$;
COMMENT ON FUNCTION public.outbox_partition_add(bigint, bigint) IS
    'Makes the partition of the outbox that takes width ids from first_id on. Part of outbox_partitions_ahead.';

CREATE FUNCTION public.outbox_partitions_missing(ahead integer) RETURNS integer
    LANGUAGE sql VOLATILE AS
$$
    SELECT ahead - pg_catalog.count(*)::integer
      FROM (SELECT p.first_id, p.first_id = pg_catalog.max(p.first_id) OVER () AS is_reserve
              FROM public.outbox_partitions AS p) AS r
     WHERE NOT r.is_reserve AND r.first_id > public.outbox_last_id()
$$;
COMMENT ON FUNCTION public.outbox_partitions_missing(integer) IS
    'How many of so many partitions beyond the id drawn last are missing. Part of outbox_partitions_ahead.';

CREATE FUNCTION public.outbox_partitions_ahead(width bigint, ahead integer, patience interval DEFAULT '100 ms')
    RETURNS integer
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    SET row_security = off
    SET lock_timeout = 0 AS -- so that what is set below ends with the function
$$
DECLARE
    reserve_width CONSTANT bigint := 1000000000000;
    -- Read through for each new partition within patience.
    readable      CONSTANT bigint := extract(epoch FROM patience) * 200000000;
    missing       integer;
    reserve       record;
    in_use        boolean;
    next_id       bigint;
BEGIN
    IF width IS NULL OR width NOT BETWEEN 1 AND reserve_width / 1000 OR ahead IS NULL OR ahead NOT BETWEEN 1 AND 1000 THEN
        RAISE EXCEPTION 'outbox_partitions_ahead: width is %, ahead is %, want 1 to % and 1 to 1000', width, ahead, reserve_width / 1000
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF public.outbox_partitions_missing(ahead) <= 0 OR NOT public.outbox_partitions_claim() THEN RETURN 0; END IF;
    IF pg_relation_size('public.outbox_default') > readable THEN
        RAISE EXCEPTION 'outbox_default holds %: writers would wait longer than % while it is read through',
                        pg_size_pretty(pg_relation_size('public.outbox_default')), patience
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  HINT = 'Its published rows leave it in time, VACUUM then makes it smaller. Or call outbox_partitions_ahead with more patience at a quiet hour.';
    END IF;
    PERFORM set_config('lock_timeout', greatest(extract(epoch FROM patience) * 1000, 1)::integer || 'ms', true);
    LOCK TABLE ONLY public.outbox IN ACCESS EXCLUSIVE MODE;
    PERFORM set_config('lock_timeout', '10ms', true);
    LOCK TABLE public.outbox_default IN ACCESS EXCLUSIVE MODE;

    missing := public.outbox_partitions_missing(ahead);
    SELECT p.* INTO reserve FROM public.outbox_partitions AS p ORDER BY p.first_id DESC LIMIT 1;
    IF reserve IS NOT NULL THEN
        EXECUTE format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE', reserve.partition);
        -- It may hold rows that the sequence does not know of: a careless restore.
        EXECUTE format('SELECT EXISTS (SELECT FROM %s)', reserve.partition) INTO in_use;
        in_use := in_use OR reserve.first_id <= public.outbox_last_id();
    END IF;
    IF in_use IS false THEN
        EXECUTE format('DROP TABLE %s', reserve.partition);
        next_id := reserve.first_id;
    ELSE
        next_id := greatest(reserve.last_id + 1, public.outbox_last_id() + 1);
    END IF;
    next_id := greatest(next_id, (SELECT max(o.id) + 1 FROM public.outbox_default AS o WHERE o.id <= 2000000000000000000));
    -- The relay looks into each partition whenever it opens a window, so their number must
    -- not grow with the rate and the retention: every four of the past double the width.
    width := width << least((SELECT count(*) FROM public.outbox_partitions AS p
                              WHERE p.first_id <= public.outbox_last_id()) / 4, 10)::integer;

    FOR n IN 0 .. missing - 1 LOOP
        PERFORM public.outbox_partition_add(next_id + n * width, width);
    END LOOP;
    PERFORM public.outbox_partition_add(next_id + missing * width, reserve_width);
    -- Should this transaction still fail, ids go on beyond all partitions, into
    -- outbox_default.
    IF in_use THEN
        PERFORM setval('public.outbox_id_seq', next_id - 1);
    END IF;
    RETURN missing;
END
$$;
COMMENT ON FUNCTION public.outbox_partitions_ahead(bigint, integer, interval) IS
    'Sees to it that so many partitions of width ids, or of more where many are kept, lie ahead of the id drawn last, and the reserve behind them. Returns how many it has made: 0 where enough are there or another session is at it. Nobody waits longer than patience for it; where somebody uses the outbox for longer it fails with 55P03 and can be called again at once or later. To be called by the owner of outbox.';

CREATE FUNCTION public.outbox_partition_settled(partition regclass) RETURNS boolean
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    SET row_security = off -- what is hidden from the role is an error, not settled
    SET jit = off
    SET enable_seqscan = off AS -- a partition that was never analysed must not be read through
$$
DECLARE
    unsettled boolean;
BEGIN
    -- Not visible in a snapshot: as late as its xmax, or running when it was taken.
    EXECUTE format('
        SELECT EXISTS (
            SELECT FROM public.outbox_position AS p
            WHERE EXISTS (SELECT FROM %1$s AS o WHERE o.xact >= pg_snapshot_xmax(p.settled))
               OR EXISTS (SELECT FROM pg_snapshot_xip(p.settled) AS r (xact) JOIN %1$s AS o USING (xact)))',
        partition) INTO unsettled;
    RETURN NOT unsettled AND NOT public.outbox_is_foreign();
END
$$;
COMMENT ON FUNCTION public.outbox_partition_settled(regclass) IS
    'True where every row of a partition is published or parked. False for a log that was restored from a dump and waits for outbox_rebase.';

-- A partition is the next one to go when all its ids are drawn, its newest row is old and
-- all rows are settled. Rows that outbox_parked still needs are moved; a partition with
-- many of them stays, because they are moved under lock.
CREATE FUNCTION public.outbox_partition_expired(keep interval) RETURNS regclass
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    SET row_security = off AS -- what is hidden from the role is an error, and not settled
$$
DECLARE
    movable CONSTANT integer := 1000;
    p       record;
    newest  timestamptz;
    needed  integer;
BEGIN
    FOR p IN SELECT r.* FROM public.outbox_partitions AS r
              WHERE r.last_id <= public.outbox_last_id() ORDER BY r.first_id LOOP
        EXECUTE format('SELECT max(l.created_at) FROM (SELECT o.created_at FROM %s AS o ORDER BY o.id DESC LIMIT 1) AS l',
                       p.partition) INTO newest;
        IF newest >= clock_timestamp() - keep THEN RETURN NULL; END IF;
        SELECT count(*) INTO needed
          FROM (SELECT FROM public.outbox_parked AS k
                 WHERE k.id BETWEEN p.first_id AND p.last_id AND k.state <> 'discarded'
                 LIMIT movable + 1) AS k;
        IF needed <= movable AND public.outbox_partition_settled(p.partition) THEN
            RETURN p.partition;
        END IF;
    END LOOP;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION public.outbox_partition_expired(interval) IS
    'The first partition that is published and whose newest row is older than keep; null where none is. Looks only.';

CREATE FUNCTION public.outbox_partition_drop(keep interval, patience interval DEFAULT '100 ms') RETURNS text
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    SET row_security = off
    SET lock_timeout = 0 AS -- so that what is set below ends with the function
$$
DECLARE
    expired regclass;
    name    text;
BEGIN
    IF keep IS NULL OR keep < '0' THEN
        RAISE EXCEPTION 'outbox_partition_drop: keep is %, want 0 or more', keep USING ERRCODE = 'invalid_parameter_value';
    END IF;
    -- What was committed during the wait for the lock has to be seen.
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'outbox_partition_drop: the transaction is %, want read committed', current_setting('transaction_isolation')
            USING ERRCODE = 'invalid_transaction_state';
    END IF;
    IF NOT public.outbox_partitions_claim() THEN RETURN NULL; END IF;
    expired := public.outbox_partition_expired(keep);
    IF expired IS NULL THEN RETURN NULL; END IF;

    PERFORM set_config('lock_timeout', greatest(extract(epoch FROM patience) * 1000, 1)::integer || 'ms', true);
    LOCK TABLE ONLY public.outbox IN ACCESS EXCLUSIVE MODE;
    PERFORM set_config('lock_timeout', '10ms', true);
    EXECUTE format('LOCK TABLE %s, public.outbox_default IN ACCESS EXCLUSIVE MODE', expired);
    IF NOT public.outbox_partition_settled(expired) THEN RETURN NULL; END IF; -- somebody was late

    EXECUTE format('ALTER TABLE public.outbox DETACH PARTITION %s', expired);
    -- No longer in any other partition's range, so it goes to outbox_default, under its number.
    PERFORM set_config('outbox.kept_number', 'any', true);
    EXECUTE format('
        INSERT INTO public.outbox OVERRIDING SYSTEM VALUE
        SELECT o.* FROM public.outbox_parked AS k JOIN %s AS o USING (id) WHERE k.state <> ''discarded''', expired);
    PERFORM set_config('outbox.kept_number', '', true);
    EXECUTE format('
        DELETE FROM public.outbox_parked AS k USING %s AS o WHERE o.id = k.id AND k.state = ''discarded''', expired);
    SELECT c.relname INTO name FROM pg_class AS c WHERE c.oid = expired;
    EXECUTE format('DROP TABLE %s', expired);
    RETURN name;
END
$$;
COMMENT ON FUNCTION public.outbox_partition_drop(interval, interval) IS
    'Drops the first partition of outbox whose rows are all published and whose newest row is older than keep. Rows that outbox_parked still needs move to outbox_default, discarded ones leave outbox_parked. Returns the dropped partition''s name, or null: call it until it does. Nobody waits longer than patience for it; where somebody uses the outbox for longer it fails with 55P03 and can be called again at once or later. To be called by the owner of outbox.';

-- Looks at the lowest ids only, so that it costs the same however much is kept.
CREATE FUNCTION public.outbox_default_trim(keep interval, batch integer DEFAULT 1000) RETURNS bigint
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    SET row_security = off
    SET jit = off
    SET enable_seqscan = off AS -- whatever the statistics say of a table that swells and shrinks
$$
DECLARE
    trimmed bigint;
BEGIN
    IF NOT public.outbox_partitions_claim() OR public.outbox_is_foreign() THEN RETURN 0; END IF;
    WITH free AS MATERIALIZED (
        SELECT o.id, o.xact, o.created_at FROM public.outbox_default AS o
        WHERE coalesce((SELECT k.state FROM public.outbox_parked AS k WHERE k.id = o.id), 'discarded') = 'discarded'
        ORDER BY o.id LIMIT batch
    ), gone AS (
        DELETE FROM public.outbox_default AS o USING free AS f
        WHERE o.id = f.id AND f.created_at < clock_timestamp() - keep
          AND NOT EXISTS (SELECT FROM public.outbox_position AS p WHERE NOT pg_visible_in_snapshot(f.xact, p.settled))
        RETURNING o.id
    ), discarded AS (
        DELETE FROM public.outbox_parked AS k USING gone AS g WHERE k.id = g.id AND k.state = 'discarded'
    )
    SELECT count(*) INTO trimmed FROM gone;
    RETURN trimmed;
END
$$;
COMMENT ON FUNCTION public.outbox_default_trim(interval, integer) IS
    'Deletes published rows older than keep from outbox_default, those with the lowest ids and at most so many; parked ones stay. Returns their number: call it until it is 0, which it also is where another session changes the partitions. Blocks nobody.';

SELECT public.outbox_partitions_ahead(1000000, 2);
