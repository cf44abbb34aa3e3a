-- How far the relay is in the log, and who it is. The log is the relation "outbox" of
-- the same schema: the table of the line outbox, or a view over a table that somebody
-- else made.

-- +goose Up

-- The order of messages holds within an aggregate_id, so the log can be shared out by
-- it among several holders.
CREATE FUNCTION public.outbox_shard(aggregate_id text, shards integer) RETURNS integer
    LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$ SELECT CASE WHEN shards = 1 THEN 0
               ELSE ((hashtextextended(aggregate_id, 0) & 9223372036854775807) % shards)::integer END $$;
COMMENT ON FUNCTION public.outbox_shard(text, integer) IS
    'The shard, from 0, that an aggregate_id belongs to.';

-- The cluster that the database is in. Where the role may not ask for its number, 0:
-- not known. What depends on it then goes by the rows' own marks alone, see
-- outbox_is_foreign. In plpgsql, because SQL asks for the right even where it does not
-- come to the call.
-- +goose StatementBegin
CREATE FUNCTION public.outbox_cluster() RETURNS bigint
    LANGUAGE plpgsql STABLE AS
$$
BEGIN
    IF NOT has_function_privilege('pg_catalog.pg_control_system()', 'EXECUTE') THEN RETURN 0; END IF;
    RETURN (SELECT c.system_identifier FROM pg_catalog.pg_control_system() AS c);
END
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION public.outbox_cluster() IS
    'The identifier of this database cluster; 0 where the role may not execute pg_control_system().';

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
    written_in     bigint      NOT NULL,
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

-- Whoever writes the row, the relay or a person.
-- +goose StatementBegin
CREATE FUNCTION public.outbox_position_sign() RETURNS trigger
    LANGUAGE plpgsql AS
$$
BEGIN
    NEW.written_by := pg_current_xact_id();
    RETURN NEW;
END
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION public.outbox_position_sign() IS
    'Keeps outbox_position.written_by, see there. Only on updates: a restored dump inserts.';
CREATE TRIGGER outbox_position_sign BEFORE UPDATE ON public.outbox_position
    FOR EACH ROW EXECUTE FUNCTION public.outbox_position_sign();

-- The empty past: everything ever inserted gets published.
INSERT INTO public.outbox_position (shard, written_in)
VALUES (0, public.outbox_cluster());

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
COMMENT ON COLUMN public.outbox_position.written_in IS 'The cluster in which the lease was last taken; 0 where the relay may not ask for it. A row that came by a dump from another cluster speaks of numbers of transactions that mean nothing here.';
COMMENT ON COLUMN public.outbox_position.updated_at IS 'When the position or the lease was last written.';

-- The holders lose their leases by the new epochs. Where the shards stood at different
-- places, all go on from the last one's, and what the others had published beyond it
-- is published again. Shards of one position keep it, so that nothing is repeated
-- when one becomes many.
-- +goose StatementBegin
CREATE FUNCTION public.outbox_reshard(shards integer) RETURNS integer
    LANGUAGE plpgsql AS
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
-- +goose StatementEnd
COMMENT ON FUNCTION public.outbox_reshard(integer) IS
    'Sets the number of shards and returns the former one. May be called while relays run: they lose their leases and go on with the new shards. Messages that some shards had published ahead of the slowest are published again.';

-- Numbers of transactions that another cluster gave: the position came by a dump, or
-- lies in the future, or the rows do. A base backup and a promoted standby keep the
-- cluster's identifier, and an upgrade in place, which does not, keeps the rows' xmin.
-- Where the cluster is not known, the xmin alone decides. It calls some rows foreign that
-- are not: a dump restored into its own cluster, a row written within a savepoint. That
-- costs a rebase, which loses nothing and repeats nothing.
CREATE FUNCTION public.outbox_is_foreign() RETURNS boolean
    LANGUAGE sql STABLE AS
$$
    SELECT NOT EXISTS (SELECT FROM public.outbox_position)
        OR EXISTS (SELECT FROM public.outbox_position AS p
                   WHERE (p.written_in <> public.outbox_cluster() OR p.written_in = 0)
                         AND p.xmin::text::bigint <> (p.written_by::text::bigint & 4294967295)
                      OR pg_snapshot_xmax(coalesce(p.window_end, p.settled)) > pg_snapshot_xmax(pg_current_snapshot()))
        OR EXISTS (SELECT FROM public.outbox AS o WHERE o.xact >= pg_snapshot_xmax(pg_current_snapshot()))
$$;
COMMENT ON FUNCTION public.outbox_is_foreign() IS
    'True where the outbox was restored from a dump, so that the numbers of transactions in it mean nothing here. outbox_rebase is the cure.';

-- Transaction numbers mean nothing in another cluster, but what a dump says of itself
-- still holds: which rows were published is arithmetic on the numbers that came along.
-- An insert-only table is rewritten this once, because the numbers stand in its rows.
-- +goose StatementBegin
CREATE FUNCTION public.outbox_rebase() RETURNS bigint
    LANGUAGE plpgsql AS
$$
DECLARE
    me      xid8 := pg_current_xact_id();
    now_    pg_snapshot;
    running xid8[];
    pending bigint;
    shards  integer;
BEGIN
    -- No writer in between: a row is either rewritten here or inserted after.
    LOCK TABLE public.outbox, public.outbox_position IN SHARE ROW EXCLUSIVE MODE;
    IF NOT public.outbox_is_foreign() THEN RETURN 0; END IF; -- another relay has done it
    INSERT INTO public.outbox_position (shard, written_in)
    SELECT 0, 0 WHERE NOT EXISTS (SELECT FROM public.outbox_position);
    SELECT count(*) INTO shards FROM public.outbox_position;
    -- 3 is the first transaction of any cluster: older than every snapshot.
    UPDATE public.outbox AS o
       SET xact = CASE WHEN pg_visible_in_snapshot(o.xact, p.settled)
                         OR (p.window_end IS NOT NULL AND o.id <= p.last_id
                             AND pg_visible_in_snapshot(o.xact, p.window_end)) THEN '3' ELSE me END
      FROM public.outbox_position AS p
     WHERE p.shard = public.outbox_shard(o.aggregate_id, shards);
    SELECT count(*) INTO pending FROM public.outbox AS o WHERE o.xact = me;
    -- The snapshot before this transaction: others that still run are in it as
    -- running, because they may insert later under a number that is lower than
    -- this one's. A transaction's own snapshot leaves itself out, so it is added.
    now_ := pg_current_snapshot();
    running := ARRAY(SELECT x FROM (SELECT pg_snapshot_xip(now_) UNION SELECT me WHERE me < pg_snapshot_xmax(now_)) AS r(x) ORDER BY x);
    UPDATE public.outbox_position AS p
       SET settled = format('%s:%s:%s', LEAST(pg_snapshot_xmin(now_), me), pg_snapshot_xmax(now_),
                            array_to_string(running, ','))::pg_snapshot,
           window_end = NULL, last_id = NULL,
           written_in = public.outbox_cluster(),
           epoch = p.epoch + 1, holder = NULL, lease_until = NULL, lease_for = NULL, last_error = NULL,
           updated_at = clock_timestamp();
    RETURN pending;
END
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION public.outbox_rebase() IS
    'Makes the log whole after it was restored from a dump: what the dump counts as published stays so, the rest is published. The relay calls it by itself. Does nothing to a log that is whole. Returns the number of rows to publish.';
