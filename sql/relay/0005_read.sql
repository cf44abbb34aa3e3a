-- Reading the log. These are functions for the sake of their plans alone. Planning
-- looks at every partition, which for a poll that finds nothing would be most of the
-- work, so a plan is made once a session; and because it is made when the partitions
-- may be empty, it must not depend on their sizes: only walks along the indexes are
-- left to choose from. Behind a pooler this holds too, where prepared statements would
-- not. S1 and S2 are the snapshots between which a window lies.

-- +goose Up

-- Opens a window and measures it: the rows that the later snapshot sees and the
-- settled one does not. Both branches read the index on xact alone. Rows of
-- transactions that ran when the settled snapshot was taken are the second branch;
-- their xact is below its xmax, so the branches are disjoint. min(id) is the only right
-- lower bound for reading in id order: an id can be drawn before its transaction has a
-- number, so no sequence value will do. "id + 0" keeps the primary key out of it.
-- +goose StatementBegin
CREATE FUNCTION public.outbox_window(s1 pg_snapshot, s2 pg_snapshot, after_id bigint,
                                     OUT window_end pg_snapshot, OUT first_id bigint, OUT last_id bigint, OUT n bigint)
    LANGUAGE plpgsql STABLE
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET enable_bitmapscan = off
    SET jit = off AS
$$
BEGIN
    WITH w AS MATERIALIZED (
        SELECT coalesce(s2, pg_current_snapshot()) AS ends
    ), r AS (
        SELECT o.id FROM public.outbox AS o, w
        WHERE o.xact >= pg_snapshot_xmax(s1)
          AND o.xact < (SELECT pg_snapshot_xmax(w.ends) FROM w)
          AND pg_visible_in_snapshot(o.xact, w.ends)
        UNION ALL
        SELECT o.id FROM public.outbox AS o, w
        WHERE o.xact = ANY (ARRAY(SELECT pg_snapshot_xip(s1)))
          AND pg_visible_in_snapshot(o.xact, w.ends)
    )
    SELECT (SELECT w.ends FROM w), coalesce(min(r.id), 0), coalesce(max(r.id), 0), count(r.id)
      INTO window_end, first_id, last_id, n
      FROM r
     WHERE r.id + 0 > after_id;
END
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION public.outbox_window(pg_snapshot, pg_snapshot, bigint) IS
    'What is left of a window behind an id: its end, which is now where s2 is null, the lowest and the highest id, and the number of rows.';

-- A page of a window whose rows lie close together, which is nearly always: one walk
-- along the primary key, which costs the same for each page of a long backlog.
-- +goose StatementBegin
CREATE FUNCTION public.outbox_page(s1 pg_snapshot, s2 pg_snapshot, after_id bigint, up_to_id bigint, max_rows integer,
                                   of_shard integer, shards integer)
    RETURNS TABLE (id bigint, event_id uuid, aggregate_type text, aggregate_id text, type text, exchange text,
                   routing_key text, correlation_id text, reply_to text, content_type text, headers text,
                   payload jsonb, payload_bytes bytea, created_at timestamptz, later timestamptz)
    LANGUAGE plpgsql STABLE
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET enable_bitmapscan = off
    SET enable_sort = off
    SET jit = off AS
$$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT o.id, o.event_id, o.aggregate_type, o.aggregate_id, o.type, o.exchange, o.routing_key,
           coalesce(o.correlation_id, ''), coalesce(o.reply_to, ''), o.content_type,
           o.headers::text, o.payload, o.payload_bytes, o.created_at,
           CASE WHEN o.deliver_at > clock_timestamp() AND isfinite(o.deliver_at) THEN o.deliver_at END
      FROM public.outbox AS o
     WHERE o.id > after_id AND o.id <= up_to_id
       AND (shards = 1 OR public.outbox_shard(o.aggregate_id, shards) = of_shard)
       AND pg_visible_in_snapshot(o.xact, s2)
       AND NOT pg_visible_in_snapshot(o.xact, s1)
     ORDER BY o.id
     LIMIT max_rows;
END
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION public.outbox_page(pg_snapshot, pg_snapshot, bigint, bigint, integer, integer, integer) IS
    'The next rows of a window, by a walk along the primary key.';

-- A page of a window with few rows that lie far apart: a transaction that ran for hours
-- has committed and its rows are strewn among millions of published ones, which a walk
-- along the primary key would all visit. The ids come from the index on xact.
-- +goose StatementBegin
CREATE FUNCTION public.outbox_page_sparse(s1 pg_snapshot, s2 pg_snapshot, after_id bigint, up_to_id bigint, max_rows integer,
                                          of_shard integer, shards integer)
    RETURNS TABLE (id bigint, event_id uuid, aggregate_type text, aggregate_id text, type text, exchange text,
                   routing_key text, correlation_id text, reply_to text, content_type text, headers text,
                   payload jsonb, payload_bytes bytea, created_at timestamptz, later timestamptz)
    LANGUAGE plpgsql STABLE
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET enable_bitmapscan = off
    SET enable_hashjoin = off
    SET enable_mergejoin = off
    SET jit = off AS
$$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH ids AS MATERIALIZED (
        SELECT r.id FROM (
            SELECT o.id, o.aggregate_id FROM public.outbox AS o
            WHERE o.xact >= pg_snapshot_xmax(s1)
              AND o.xact < pg_snapshot_xmax(s2)
              AND pg_visible_in_snapshot(o.xact, s2)
            UNION ALL
            SELECT o.id, o.aggregate_id FROM public.outbox AS o
            WHERE o.xact = ANY (ARRAY(SELECT pg_snapshot_xip(s1)))
              AND pg_visible_in_snapshot(o.xact, s2)
        ) AS r
        WHERE r.id + 0 > after_id AND r.id + 0 <= up_to_id
          AND (shards = 1 OR public.outbox_shard(r.aggregate_id, shards) = of_shard)
        ORDER BY r.id + 0
        LIMIT max_rows
    )
    SELECT o.id, o.event_id, o.aggregate_type, o.aggregate_id, o.type, o.exchange, o.routing_key,
           coalesce(o.correlation_id, ''), coalesce(o.reply_to, ''), o.content_type,
           o.headers::text, o.payload, o.payload_bytes, o.created_at,
           CASE WHEN o.deliver_at > clock_timestamp() AND isfinite(o.deliver_at) THEN o.deliver_at END
      FROM ids AS i JOIN public.outbox AS o ON o.id = i.id
     ORDER BY o.id;
END
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION public.outbox_page_sparse(pg_snapshot, pg_snapshot, bigint, bigint, integer, integer, integer) IS
    'The same rows as outbox_page gives, by the index on xact.';
