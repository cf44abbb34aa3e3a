-- How far the relay is in the log, and who it is. The log is the relation "outbox" of
-- the same schema: the table of the line outbox, or a view over a table that somebody
-- else made.

-- The order of messages holds within an aggregate_id, so the log can be shared out by
-- it among several holders.
CREATE FUNCTION public.outbox_shard(aggregate_id text, shards integer) RETURNS integer
    LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$ SELECT CASE WHEN shards = 1 THEN 0
               ELSE ((pg_catalog.hashtextextended(aggregate_id, 0) & 9223372036854775807) % shards)::integer END $$;
COMMENT ON FUNCTION public.outbox_shard(text, integer) IS
    'The shard, from 0, that an aggregate_id belongs to.';

-- Read "settled" as: every row of the shard that this snapshot sees is published or
-- stands in outbox_parked. The relay works on windows, the difference between settled
-- and a later snapshot, in id order; last_id says how far it is inside the window.
CREATE TABLE public.outbox_position (
    shard          integer     NOT NULL,
    settled        pg_snapshot NOT NULL DEFAULT '1:1:',
    window_end     pg_snapshot,
    last_id        bigint,
    published_id   bigint,
    holder         text,
    epoch          bigint      NOT NULL DEFAULT 0,
    lease_until    timestamptz,
    lease_for      interval,
    last_error     text,
    parked_version bigint      NOT NULL DEFAULT 0,
    written_by     xid8        NOT NULL DEFAULT pg_current_xact_id(),
    written_in     bigint      NOT NULL DEFAULT 0,
    timeline       bigint,
    timeline_changed_at timestamptz,
    updated_at     timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT outbox_position_pkey PRIMARY KEY (shard),
    CONSTRAINT outbox_position_shard_counts CHECK (shard BETWEEN 0 AND 1023),
    CONSTRAINT outbox_position_window_is_whole CHECK ((window_end IS NULL) = (last_id IS NULL)),
    CONSTRAINT outbox_position_last_id_counts CHECK (last_id >= 0),
    CONSTRAINT outbox_position_epoch_counts CHECK (epoch >= 0),
    CONSTRAINT outbox_position_holder_has_lease CHECK ((holder IS NULL) = (lease_until IS NULL)),
    CONSTRAINT outbox_position_lease_has_length CHECK ((lease_until IS NULL) = (lease_for IS NULL)),
    CONSTRAINT outbox_position_lease_is_bounded CHECK (lease_for > '0' AND lease_for <= '5 min'),
    CONSTRAINT outbox_position_holder_named CHECK (holder <> '')
) WITH (fillfactor = 10); -- room for the updates to stay on the page and out of the index

-- Whoever writes the row, the relay or a person. A row that came by a dump is not signed by
-- that: it is known by a sign that does not fit.
CREATE FUNCTION public.outbox_position_sign() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp AS
$$
BEGIN
    IF NEW.written_in = public.outbox_database() AND NEW.written_in <> -1
       OR EXISTS (SELECT FROM public.outbox_position AS p
                   WHERE p.shard = NEW.shard AND p.xmin::text::bigint = (p.written_by::text::bigint & 4294967295)) THEN
        NEW.written_by := pg_current_xact_id();
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION public.outbox_position_sign() IS
    'Keeps outbox_position.written_by, see there. Only on updates: a restored dump inserts.';
CREATE TRIGGER outbox_position_sign BEFORE UPDATE ON public.outbox_position
    FOR EACH ROW EXECUTE FUNCTION public.outbox_position_sign();

-- The empty past: everything ever inserted gets published.
INSERT INTO public.outbox_position (shard) VALUES (0);

COMMENT ON TABLE public.outbox_position IS
    'The relay''s place in the outbox and its lease: one row a shard, as many rows as there are shards. Change their number with outbox_reshard. outbox_lag shows it for people.';
COMMENT ON COLUMN public.outbox_position.shard IS 'Rows whose outbox_shard(aggregate_id, number of shards) this is.';
COMMENT ON COLUMN public.outbox_position.settled IS 'Every outbox row of the shard that this snapshot sees is published or parked. The default sees nothing.';
COMMENT ON COLUMN public.outbox_position.window_end IS 'The later snapshot that closes the window in work; null when none is.';
COMMENT ON COLUMN public.outbox_position.last_id IS 'Rows of the window up to this id are published or parked.';
COMMENT ON COLUMN public.outbox_position.published_id IS 'The row that was published last, for people; the relay does not read it.';
COMMENT ON COLUMN public.outbox_position.holder IS 'The relay that publishes; null when none does.';
COMMENT ON COLUMN public.outbox_position.epoch IS 'Counts the holders. A relay writes only under its own epoch, so a late one cannot move the position.';
COMMENT ON COLUMN public.outbox_position.lease_until IS 'When another relay may take over, by the database''s clock.';
COMMENT ON COLUMN public.outbox_position.lease_for IS 'How long a lease lasts from when it is written. One that ends later than that from now was written by a clock that has been set back: it is void when it has stood unchanged for its own length.';
COMMENT ON COLUMN public.outbox_position.last_error IS 'Why the relay does not get on; null while it does.';
COMMENT ON COLUMN public.outbox_position.parked_version IS 'Counts what operators did to outbox_parked, so that the relay notices.';
COMMENT ON COLUMN public.outbox_position.written_by IS 'The transaction that wrote this row. Where it is not the row''s own xmin, the row came by a dump, or was written within a savepoint.';
COMMENT ON COLUMN public.outbox_position.written_in IS 'The database in which the lease was last taken, see outbox_database; 0 before the first lease. A row that came by a dump from another one speaks of numbers of transactions that mean nothing here.';
COMMENT ON COLUMN public.outbox_position.timeline IS 'The timeline of the server''s log when the lease was last taken. A promoted standby and a recovery to a point in time begin a new one.';
COMMENT ON COLUMN public.outbox_position.timeline_changed_at IS 'When a lease met another timeline than the one before; null where none has. Commits may have been lost then, in this database alone.';
COMMENT ON COLUMN public.outbox_position.updated_at IS 'When the position or the lease was last written.';

-- The holders lose their leases by the new epochs. Where the shards stood at different
-- places, all go on from the last one's, and what the others had published beyond it
-- is published again. Shards of one position keep it, so that nothing is repeated
-- when one becomes many.
CREATE FUNCTION public.outbox_reshard(shards integer) RETURNS integer
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp AS
$$
DECLARE
    place  record;
    places integer;
    former integer;
BEGIN
    IF shards IS NULL OR shards NOT BETWEEN 1 AND 1024 THEN
        RAISE EXCEPTION 'outbox_reshard: the number of shards is %, want 1 to 1024', shards
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    LOCK TABLE public.outbox_position IN SHARE ROW EXCLUSIVE MODE;
    SELECT count(*) INTO former FROM public.outbox_position;
    IF former = shards THEN RETURN former; END IF;
    -- New rows would say that they were written here.
    IF public.outbox_is_foreign() THEN
        RAISE EXCEPTION 'outbox_reshard: the outbox was restored from a dump and is not made whole yet'
            USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'A relay that runs does that, or outbox_rebase.';
    END IF;
    SELECT count(*) INTO places
      FROM (SELECT DISTINCT p.settled::text, p.window_end::text, p.last_id FROM public.outbox_position AS p) AS d;
    SELECT p.* INTO place FROM public.outbox_position AS p
     -- Snapshots of one cluster are ordered by what they see: with the same bounds, the
     -- one with more transactions still running is the earlier.
     ORDER BY pg_snapshot_xmax(p.settled), pg_snapshot_xmin(p.settled),
              (SELECT count(*) FROM pg_snapshot_xip(p.settled)) DESC, p.last_id LIMIT 1;
    IF places > 1 THEN
        place.window_end := NULL;
        place.last_id := NULL;
    END IF;
    place.epoch := 1 + (SELECT max(p.epoch) FROM public.outbox_position AS p);
    DELETE FROM public.outbox_position;
    INSERT INTO public.outbox_position (shard, settled, window_end, last_id, published_id, epoch, written_in)
    SELECT s, place.settled, place.window_end, place.last_id, place.published_id, place.epoch, place.written_in
    FROM generate_series(0, shards - 1) AS s;
    RETURN former;
END
$$;
COMMENT ON FUNCTION public.outbox_reshard(integer) IS
    'Sets the number of shards and returns the former one. May be called while relays run: they lose their leases and go on with the new shards. Messages that some shards had published ahead of the slowest are published again.';

-- One name for a database of one cluster: a dump that is restored has another. Where the
-- cluster's number may not be asked for, -1: not known. What depends on it then goes by the
-- rows' own marks alone. In plpgsql, because SQL asks for the right even where it does not
-- come to the call. As the owner, so that everybody is told the same.
CREATE FUNCTION public.outbox_database() RETURNS bigint
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp AS
$$
BEGIN
    IF NOT has_function_privilege('pg_control_system()', 'EXECUTE') THEN RETURN -1; END IF;
    RETURN (SELECT c.system_identifier # d.oid::bigint
              FROM pg_control_system() AS c, pg_database AS d WHERE d.datname = current_database());
END
$$;
COMMENT ON FUNCTION public.outbox_database() IS
    'Identifies this database of this cluster; -1 where the owner of the outbox may not execute pg_control_system().';

-- An outbox may stand in a schema that belongs to no service. In plpgsql, because SQL would
-- look for the table before it is there. As the owner, so that the relay needs no right on
-- the service's own tables.
CREATE FUNCTION public.outbox_service() RETURNS text
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    SET row_security = off AS
$$
BEGIN
    IF to_regclass('public.saga_service') IS NULL OR NOT has_table_privilege('public.saga_service', 'SELECT') THEN RETURN ''; END IF;
    RETURN coalesce((SELECT s.name FROM public.saga_service AS s), '');
END
$$;
COMMENT ON FUNCTION public.outbox_service() IS
    'The name of the service that the outbox belongs to, a part of its messages'' source; empty where there is none, or the owner of the outbox may not read it.';

-- A base backup and a promoted standby keep the cluster's identifier, and an upgrade in
-- place, which does not, keeps the rows' xmin. In a restored dump neither is as it was.
-- Where the database is not known, the xmin alone decides. It calls a row that was written
-- within a savepoint foreign, too; that costs a rebase, which loses nothing.
CREATE FUNCTION public.outbox_position_is_foreign() RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    SET row_security = off AS
$$
    SELECT NOT EXISTS (SELECT FROM public.outbox_position)
        OR EXISTS (SELECT FROM public.outbox_position AS p
                   WHERE (p.written_in <> (SELECT public.outbox_database()) OR p.written_in = -1)
                         AND p.xmin::text::bigint <> (p.written_by::text::bigint & 4294967295)
                      OR pg_snapshot_xmax(coalesce(p.window_end, p.settled)) > pg_snapshot_xmax(pg_current_snapshot()))
$$;
COMMENT ON FUNCTION public.outbox_position_is_foreign() IS
    'True where the position speaks of numbers of transactions that this database has not given: it came by a dump, or lies in the future.';

CREATE FUNCTION public.outbox_in_service() RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    SET row_security = off AS
$$
    SELECT NOT public.outbox_position_is_foreign()
       AND NOT EXISTS (SELECT FROM public.outbox_position AS p WHERE p.written_in = 0)
$$;
COMMENT ON FUNCTION public.outbox_in_service() IS
    'True where a relay serves the outbox, or did, in this very database: the numbers of transactions in it mean what they say. outbox_rebase puts a log into service.';

CREATE FUNCTION public.outbox_is_foreign() RETURNS boolean
    LANGUAGE sql STABLE
    SET row_security = off AS
$$
    SELECT public.outbox_position_is_foreign()
        OR EXISTS (SELECT FROM public.outbox AS o WHERE o.xact >= pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot()))
$$;
COMMENT ON FUNCTION public.outbox_is_foreign() IS
    'True where the outbox was restored from a dump, so that the numbers of transactions in it mean nothing here. outbox_rebase is the cure.';

-- A position that was read goes stale when the server is not the one any more that it was
-- read from: a standby was promoted, or an older state was restored. The server's new
-- transactions soon have the numbers that the position counts as seen. Each statement that
-- reads or writes by a position therefore says at which present it was loaded. The
-- functions that tell it may be denied to a role; then the rest has to do, and the snapshot.
CREATE FUNCTION public.outbox_timeline() RETURNS bigint
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp AS
$$
BEGIN
    IF has_function_privilege('pg_walfile_name(pg_lsn)'::regprocedure, 'EXECUTE')
       AND has_function_privilege('pg_current_wal_insert_lsn()'::regprocedure, 'EXECUTE') THEN
        RETURN ('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::bigint;
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION public.outbox_timeline() IS
    'The timeline of the server''s write-ahead log; null where the role may not ask for it.';

CREATE FUNCTION public.outbox_present() RETURNS text
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp AS
$$
DECLARE
    started text;
BEGIN
    IF has_function_privilege('pg_postmaster_start_time()'::regprocedure, 'EXECUTE') THEN
        started := extract(epoch FROM pg_postmaster_start_time());
    END IF;
    RETURN coalesce(public.outbox_timeline()::text, 'unknown') || '/' || coalesce(started, 'unknown');
END
$$;
COMMENT ON FUNCTION public.outbox_present() IS
    'Tells the server''s present from that before a failover or a restart: its timeline, and when it was started.';

CREATE FUNCTION public.outbox_expect(present text, seen pg_snapshot) RETURNS boolean
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp AS
$$
BEGIN
    IF present = public.outbox_present() AND pg_snapshot_xmax(seen) <= pg_snapshot_xmax(pg_current_snapshot()) THEN
        RETURN true;
    END IF;
    RAISE EXCEPTION 'outbox: the position was loaded at another present of the server (%), which now is %', present, public.outbox_present()
        USING ERRCODE = 'SG001', HINT = 'Load the position again.';
END
$$;
COMMENT ON FUNCTION public.outbox_expect(text, pg_snapshot) IS
    'True, or error SG001 where the server was restarted or failed over since a position was loaded, or where the position lies in its future.';

-- The number, from 0 and without end, of a transaction that a row's xmin names. What is too
-- old to be placed counts as young.
CREATE FUNCTION public.outbox_number(writer xid) RETURNS bigint
    LANGUAGE sql STABLE AS
$$ SELECT pg_catalog.pg_current_xact_id()::text::bigint - pg_catalog.age(writer) $$;
COMMENT ON FUNCTION public.outbox_number(xid) IS
    'The number of a transaction of this cluster, as pg_current_xact_id gives it, from the xmin of what it wrote.';

CREATE FUNCTION public.outbox_born() RETURNS bigint
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp AS
$$
    SELECT coalesce(min(public.outbox_number(c.xmin)) FILTER (WHERE age(c.xmin) >= 0), 0)
      FROM pg_constraint AS c
     WHERE c.contype = 'p'
       AND (c.conrelid = 'public.outbox'::regclass
            OR c.conrelid IN (SELECT d.refobjid FROM pg_rewrite AS r
                                JOIN pg_depend AS d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
                                                   AND d.refclassid = 'pg_class'::regclass
                               WHERE r.ev_class = 'public.outbox'::regclass))
$$;
COMMENT ON FUNCTION public.outbox_born() IS
    'The transaction that gave the outbox, or the table that it is a view of, its primary key: in a restored dump it comes after the rows. 0 where there is none.';

-- Transaction numbers mean nothing in another database, but what a dump says of itself
-- still holds: which rows were published is arithmetic on the numbers that came along.
-- An insert-only table is rewritten this once, because the numbers stand in its rows.
--
-- Rows that were inserted here since are none of the dump's, however their numbers compare
-- with its position. A restored table gets its primary key after its rows, so what is older
-- came by the dump, and what is younger did not. Where nothing is older, contents alone were
-- restored into tables that were there. Then a row was inserted here if its number lies
-- between those of the key and of what wrote the row: a transaction has a lower number than
-- its savepoints and than who changes its row later. Restored rows may have such a number by
-- chance. In doubt a row is published again.
--
-- This is also how a new log enters service, which keeps no writer waiting but those who
-- bring numbers along. As the owner, because the rewriting takes rights that nothing else in
-- a relay needs.
CREATE FUNCTION public.outbox_rebase() RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    SET row_security = off AS
$$
DECLARE
    me      xid8 := pg_current_xact_id();
    now_    pg_snapshot;
    running xid8[];
    pending bigint;
    shards  integer;
    born    CONSTANT bigint := public.outbox_born();
    writer  CONSTANT text := CASE WHEN (SELECT c.relkind FROM pg_class AS c WHERE c.oid = 'public.outbox'::regclass) = 'v'
                                  THEN 'o.inserted_by' ELSE 'o.xmin' END;
    whole   boolean;
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'outbox_rebase: the transaction is %, want read committed', current_setting('transaction_isolation')
            USING ERRCODE = 'invalid_transaction_state';
    END IF;
    IF to_regprocedure('public.outbox_service_lock()') IS NOT NULL THEN
        EXECUTE 'SELECT pg_advisory_xact_lock(public.outbox_service_lock())';
    END IF;
    IF NOT public.outbox_is_foreign() THEN
        UPDATE public.outbox_position AS p SET written_in = public.outbox_database() WHERE p.written_in = 0;
        IF to_regprocedure('public.outbox_sequence_mend()') IS NOT NULL THEN
            EXECUTE 'SELECT public.outbox_sequence_mend()';
        END IF;
        RETURN 0;
    END IF;
    -- No writer in between: a row is either rewritten here or inserted after.
    LOCK TABLE public.outbox, public.outbox_position IN SHARE ROW EXCLUSIVE MODE;
    IF NOT public.outbox_is_foreign() THEN RETURN 0; END IF; -- another relay has done it
    INSERT INTO public.outbox_position (shard) SELECT 0 WHERE NOT EXISTS (SELECT FROM public.outbox_position);
    SELECT count(*) INTO shards FROM public.outbox_position;
    EXECUTE format('SELECT EXISTS (SELECT FROM public.outbox AS o WHERE public.outbox_number(%s) <= $1)', writer) INTO whole USING born;
    PERFORM set_config('outbox.kept_number', 'any', true);
    -- 3 is the first transaction of any cluster: older than every snapshot.
    EXECUTE format($sql$
        UPDATE public.outbox AS o
           SET xact = CASE WHEN (public.outbox_number(%1$s) <= $3
                                 OR NOT $4 AND o.xact NOT BETWEEN greatest($3, 4)::text::xid8 AND public.outbox_number(%1$s)::text::xid8)
                            AND (pg_visible_in_snapshot(o.xact, p.settled)
                                 OR p.window_end IS NOT NULL AND o.id <= p.last_id
                                    AND pg_visible_in_snapshot(o.xact, p.window_end)) THEN '3' ELSE $1 END
          FROM public.outbox_position AS p
         WHERE p.shard = public.outbox_shard(o.aggregate_id, $2) $sql$,
        writer) USING me, shards, born, whole;
    PERFORM set_config('outbox.kept_number', '', true);
    SELECT count(*) INTO pending FROM public.outbox AS o WHERE o.xact = me;
    -- What the log brings anyway must not come a second time from the parked messages.
    DELETE FROM public.outbox_parked AS k USING public.outbox AS o
     WHERE o.id = k.id AND o.xact = me AND k.state <> 'discarded';
    IF to_regprocedure('public.outbox_sequence_mend()') IS NOT NULL THEN
        EXECUTE 'SELECT public.outbox_sequence_mend()';
    END IF;
    -- The snapshot before this transaction: others that still run are in it as
    -- running, because they may insert later under a number that is lower than
    -- this one's. A transaction's own snapshot leaves itself out, so it is added.
    now_ := pg_current_snapshot();
    running := ARRAY(SELECT x FROM (SELECT pg_snapshot_xip(now_) UNION SELECT me WHERE me < pg_snapshot_xmax(now_)) AS r(x) ORDER BY x);
    UPDATE public.outbox_position AS p
       SET settled = format('%s:%s:%s', LEAST(pg_snapshot_xmin(now_), me), pg_snapshot_xmax(now_),
                            array_to_string(running, ','))::pg_snapshot,
           window_end = NULL, last_id = NULL,
           written_in = public.outbox_database(), written_by = me,
           epoch = p.epoch + 1, holder = NULL, lease_until = NULL, lease_for = NULL, last_error = NULL,
           updated_at = clock_timestamp();
    RETURN pending;
END
$$;
COMMENT ON FUNCTION public.outbox_rebase() IS
    'Makes the log whole after it was restored from a dump: what the dump counts as published stays so, the rest is published. Puts a new log into service. The relay calls it by itself. Does nothing to a log that is whole and in service. Returns the number of rows to publish.';
