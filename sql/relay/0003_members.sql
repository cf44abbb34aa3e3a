-- The relays that are alive, so that they can share the shards out fairly.

CREATE TABLE public.outbox_member (
    holder     text        NOT NULL,
    seen_until timestamptz NOT NULL,
    lifetime   interval    NOT NULL,
    CONSTRAINT outbox_member_pkey PRIMARY KEY (holder),
    CONSTRAINT outbox_member_named CHECK (holder <> ''),
    CONSTRAINT outbox_member_lifetime_is_bounded CHECK (lifetime > '0' AND lifetime <= '5 min')
) WITH (fillfactor = 10); -- as outbox_position: each relay writes its row every few seconds
COMMENT ON TABLE public.outbox_member IS
    'The relays that are alive, whether they hold shards or stand by. They spread the shards of outbox_position evenly among themselves.';
COMMENT ON COLUMN public.outbox_member.holder IS 'The relay''s name, as in outbox_position.holder.';
COMMENT ON COLUMN public.outbox_member.seen_until IS 'When it counts as gone unless it is heard of before, by the database''s clock.';
COMMENT ON COLUMN public.outbox_member.lifetime IS 'How long that was from when it was written. A row that has stood unchanged for so long is void, whatever the database''s clock says.';

-- A definer, because who appends to an outbox needs no right to read how far the relay is.
-- An end is a number in a text, which an infinite one has too, whatever the time zone.
CREATE FUNCTION public.outbox_leases(OUT shard integer, OUT holder text, OUT stands text, OUT lasts float8) RETURNS SETOF record
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    SET row_security = off AS
$$
SELECT p.shard, CASE WHEN p.lease_until > clock_timestamp() THEN p.holder ELSE '' END,
       p.epoch || ' ' || extract(epoch FROM p.lease_until), extract(epoch FROM p.lease_for)::float8
  FROM public.outbox_position AS p
 ORDER BY p.shard
$$;
COMMENT ON FUNCTION public.outbox_leases() IS
    'Who publishes each shard of the outbox, for everybody who appends to it: holder, empty or null where nobody does; how the lease stands there; and how many seconds it lasts from when it was written. One that has stood unchanged for longer is void, whatever the database''s clock says.';

-- For who must not go on while what it appends stays here. A definer, as above. A number that
-- no transaction of this database can have yet, because it was restored meanwhile, counts as one
-- whose transaction runs: nothing is known of it. An aborted one has left nothing behind.
CREATE FUNCTION public.outbox_left(aggregates text[], xact xid8, OUT shards integer, OUT unserved integer, OUT state text)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    SET row_security = off AS
$$
#variable_conflict use_variable
BEGIN
    IF NOT has_table_privilege('public.outbox_position', 'SELECT') THEN
        shards := 0; unserved := 0; state := 'left'; -- nothing can be told
        RETURN;
    END IF;
    SELECT count(*), count(*) FILTER (WHERE (p.holder IS NOT NULL AND p.lease_until > clock_timestamp()) IS NOT TRUE)
      INTO shards, unserved
      FROM public.outbox_position AS p;
    IF shards = 0 THEN -- it came by a dump, without its positions
        shards := 1; unserved := 1;
    END IF;
    IF xact IS NULL THEN
        state := 'left';
    ELSIF xact >= pg_snapshot_xmax(pg_current_snapshot()) THEN
        state := 'open';
    ELSE
        state := CASE pg_xact_status(xact) WHEN 'committed' THEN 'lies' WHEN 'in progress' THEN 'open' ELSE 'left' END;
    END IF;
    IF state = 'lies' AND NOT EXISTS (
        SELECT FROM public.outbox_position AS p
         WHERE p.shard IN (SELECT public.outbox_shard(a, shards) FROM unnest(aggregates) AS a)
           AND NOT pg_visible_in_snapshot(xact, p.settled))
       AND EXISTS (SELECT FROM public.outbox_position) THEN
        state := 'left';
    END IF;
END
$$;
COMMENT ON FUNCTION public.outbox_left(text[], xid8) IS
    'Whether what the transaction xact has appended for the aggregates has left the outbox, for everybody who appends to it: left (published, or set aside in outbox_parked, or never committed), lies (committed and not yet published) or open (not yet committed); left where xact is null. shards has the outbox, and nobody holds the lease of unserved ones.';
