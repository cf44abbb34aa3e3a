-- Reading the log. These are functions for the sake of their plans alone. Planning
-- looks at every partition, which for a poll that finds nothing would be most of the
-- work, so a plan is made once a session; and because it is made when the partitions
-- may be empty, it must not depend on their sizes: only walks along the indexes are
-- left to choose from, by the session alone: starting another process takes longer than
-- reading. Behind a pooler this holds too, where prepared statements would not. S1 and S2 are the snapshots between which a window lies.
--
-- What row security hides from the role is an error here (42501), also where the policy came
-- later: it would be passed over as if it were not there. And each says at which present of
-- the server its position was loaded, see outbox_present. A null where the relay wants a text
-- is the empty one: a view over somebody else's table may have it.

-- The usual look at a log that is all but published: the end of a new window and its
-- rows, in one go, unless there are more than max_rows of them. Then there are max_rows + 1
-- rows, which are any of the window's, and outbox_window is the way to begin. A window
-- without rows is one row of nulls but for its end. What belongs to the window is as in
-- outbox_window; where no transaction that ran at S1 was old then, it is found by looking
-- through all that is behind the oldest. The two queries differ in that alone.
CREATE FUNCTION public.outbox_news(present text, s1 pg_snapshot, max_rows integer, of_shard integer, shards integer)
    RETURNS TABLE (window_end pg_snapshot, id bigint, event_id uuid, aggregate_type text, aggregate_id text, type text,
                   exchange text, routing_key text, correlation_id text, reply_to text, content_type text, headers text,
                   payload jsonb, payload_bytes bytea, created_at timestamptz, later timestamptz)
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
    SET row_security = off
    SET plan_cache_mode = force_generic_plan
    SET max_parallel_workers_per_gather = 0
    SET enable_seqscan = off
    SET enable_bitmapscan = off
    SET jit = off AS
$$
#variable_conflict use_column
DECLARE
    -- So many transactions are looked through faster than a second branch is set up: that
    -- opens every partition's index once more, which is half of a look that finds little.
    few CONSTANT bigint := 100;
BEGIN
    PERFORM public.outbox_expect(present, s1);
    IF pg_snapshot_xmax(s1)::text::bigint - pg_snapshot_xmin(s1)::text::bigint <= few THEN
        RETURN QUERY
        SELECT w.ends, o.id, o.event_id, coalesce(o.aggregate_type, ''), coalesce(o.aggregate_id, ''),
               coalesce(o.type, ''), coalesce(o.exchange, ''), coalesce(o.routing_key, ''),
               coalesce(o.correlation_id, ''), coalesce(o.reply_to, ''), coalesce(o.content_type, ''),
               coalesce(o.headers::text, '{}'), o.payload, o.payload_bytes, o.created_at,
               CASE WHEN o.deliver_at > clock_timestamp() THEN o.deliver_at END
          FROM (SELECT pg_current_snapshot() AS ends) AS w
          LEFT JOIN LATERAL (
                SELECT a.* FROM public.outbox AS a
                 WHERE a.xact >= pg_snapshot_xmin(s1)
                   AND NOT pg_visible_in_snapshot(a.xact, s1)
                   AND pg_visible_in_snapshot(a.xact, w.ends)
                   AND (shards = 1 OR public.outbox_shard(a.aggregate_id, shards) = of_shard)
                 LIMIT max_rows + 1
          ) AS o ON true
         ORDER BY o.id;
    ELSE
        RETURN QUERY
        SELECT w.ends, o.id, o.event_id, coalesce(o.aggregate_type, ''), coalesce(o.aggregate_id, ''),
               coalesce(o.type, ''), coalesce(o.exchange, ''), coalesce(o.routing_key, ''),
               coalesce(o.correlation_id, ''), coalesce(o.reply_to, ''), coalesce(o.content_type, ''),
               coalesce(o.headers::text, '{}'), o.payload, o.payload_bytes, o.created_at,
               CASE WHEN o.deliver_at > clock_timestamp() THEN o.deliver_at END
          FROM (SELECT pg_current_snapshot() AS ends) AS w
          LEFT JOIN LATERAL (
                SELECT n.* FROM (
                    SELECT a.* FROM public.outbox AS a
                     WHERE a.xact >= pg_snapshot_xmax(s1)
                    UNION ALL
                    SELECT b.* FROM public.outbox AS b
                     WHERE b.xact = ANY (ARRAY(SELECT pg_snapshot_xip(s1)))
                ) AS n
                WHERE pg_visible_in_snapshot(n.xact, w.ends)
                  AND (shards = 1 OR public.outbox_shard(n.aggregate_id, shards) = of_shard)
                LIMIT max_rows + 1
          ) AS o ON true
         ORDER BY o.id;
    END IF;
END
$$;
COMMENT ON FUNCTION public.outbox_news(text, pg_snapshot, integer, integer, integer) IS
    'The end of a new window and its rows in the order of their ids, or more rows than asked for where outbox_window has to measure it first.';

-- Opens a window and measures it: the rows that the later snapshot sees and the
-- settled one does not. Both branches read the index on xact alone. Rows of
-- transactions that ran when the settled snapshot was taken are the second branch;
-- their xact is below its xmax, so the branches are disjoint. The lowest id is the only
-- right bound for reading in id order: an id can be drawn before its transaction has a
-- number, so no sequence value will do. "id + 0" keeps the primary key out of it.
-- A window of few rows is sparse when each takes many ids: a transaction that ran for
-- hours. One of more rows than are worth counting is bounded by its partitions, so that
-- the first of ten million is published as soon as that of a million.
CREATE FUNCTION public.outbox_window(present text, s1 pg_snapshot, s2 pg_snapshot, after_id bigint,
                                     OUT window_end pg_snapshot, OUT first_id bigint, OUT last_id bigint, OUT sparse boolean)
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
    SET row_security = off
    SET plan_cache_mode = force_generic_plan
    SET max_parallel_workers_per_gather = 0
    SET enable_seqscan = off
    SET enable_bitmapscan = off
    SET jit = off AS
$$
DECLARE
    countable  CONSTANT bigint := 100000;
    -- Walked along the primary key however few of them are the window's: some pages.
    small_span CONSTANT bigint := 10000;
    counted    bigint;
    n          bigint;
BEGIN
    PERFORM public.outbox_expect(present, coalesce(s2, s1));
    window_end := coalesce(s2, pg_current_snapshot());
    SELECT min(r.id) FILTER (WHERE r.id > after_id), max(r.id) FILTER (WHERE r.id > after_id),
           count(*) FILTER (WHERE r.id > after_id), count(*)
      INTO first_id, last_id, n, counted
      FROM (SELECT o.id FROM public.outbox AS o
             WHERE o.xact >= pg_snapshot_xmax(s1)
               AND o.xact < pg_snapshot_xmax(window_end)
               AND pg_visible_in_snapshot(o.xact, window_end)
            UNION ALL
            SELECT o.id FROM public.outbox AS o
             WHERE o.xact = ANY (ARRAY(SELECT pg_snapshot_xip(s1)))
               AND pg_visible_in_snapshot(o.xact, window_end)
            LIMIT countable + 1) AS r;
    sparse := last_id - first_id > small_span + 16 * n;
    IF counted > countable THEN
        SELECT b.first_id, b.last_id, false INTO first_id, last_id, sparse
          FROM public.outbox_window_bounds(s1, window_end, after_id) AS b;
    END IF;
END
$$;
COMMENT ON FUNCTION public.outbox_window(text, pg_snapshot, pg_snapshot, bigint) IS
    'What is left of a window behind an id: its end, which is now where s2 is null, its lowest id, an id that none of it is above, and whether its rows lie far apart. No ids: nothing is left.';

-- The lowest id is exact, that of the first partition that has any; the highest is the
-- last one's bound. So partitions are looked into one by one, which no plan for the whole
-- table does. outbox_default, or a table that is not partitioned, is measured whole. The
-- caller's statement has the outbox locked: no partition goes meanwhile.
CREATE FUNCTION public.outbox_window_bounds(s1 pg_snapshot, s2 pg_snapshot, after_id bigint, OUT first_id bigint, OUT last_id bigint)
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
    SET row_security = off
    SET max_parallel_workers_per_gather = 0
    SET enable_seqscan = off
    SET enable_bitmapscan = off
    SET jit = off AS
$$
DECLARE
    ids CONSTANT text := $sql$
        (SELECT o.id FROM %1$s AS o
          WHERE o.xact >= pg_snapshot_xmax($1) AND o.xact < pg_snapshot_xmax($2)
            AND pg_visible_in_snapshot(o.xact, $2) AND o.id + 0 > $3
         UNION ALL
         SELECT o.id FROM %1$s AS o
          WHERE o.xact = ANY (ARRAY(SELECT pg_snapshot_xip($1)))
            AND pg_visible_in_snapshot(o.xact, $2) AND o.id + 0 > $3) AS r $sql$;
    parts  text[]; -- in the order of their ids
    bounds bigint[];
    rest   text;
    lowest bigint;
    is_any boolean;
BEGIN
    WITH part AS (
        SELECT i.inhrelid::regclass::text AS name,
               (regexp_match(pg_get_expr(c.relpartbound, c.oid), $re$TO \('(\d+)'\)$re$))[1]::bigint - 1 AS bound
          FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
         WHERE i.inhparent = 'public.outbox'::regclass
    )
    SELECT array_agg(p.name ORDER BY p.bound) FILTER (WHERE p.bound > after_id),
           array_agg(p.bound ORDER BY p.bound) FILTER (WHERE p.bound > after_id),
           coalesce(max(p.name) FILTER (WHERE p.bound IS NULL), 'public.outbox')
      INTO parts, bounds, rest
      FROM part AS p;
    EXECUTE format('SELECT min(r.id), max(r.id) FROM' || ids, rest) INTO first_id, last_id USING s1, s2, after_id;
    FOR i IN 1 .. coalesce(cardinality(parts), 0) LOOP
        EXECUTE format('SELECT min(r.id) FROM' || ids, parts[i]) INTO lowest USING s1, s2, after_id;
        EXIT WHEN lowest IS NOT NULL;
    END LOOP;
    FOR i IN REVERSE coalesce(cardinality(parts), 0) .. 1 LOOP
        EXECUTE format('SELECT EXISTS (SELECT FROM' || ids || ')', parts[i]) INTO is_any USING s1, s2, after_id;
        IF is_any THEN
            last_id := greatest(last_id, bounds[i]);
            EXIT;
        END IF;
    END LOOP;
    first_id := least(first_id, lowest);
END
$$;
COMMENT ON FUNCTION public.outbox_window_bounds(pg_snapshot, pg_snapshot, bigint) IS
    'Part of outbox_window: the bounds of a window of many rows.';

-- A page of a window whose rows lie close together, which is nearly always: one walk
-- along the primary key, which costs the same for each page of a long backlog.
CREATE FUNCTION public.outbox_page(present text, s1 pg_snapshot, s2 pg_snapshot, after_id bigint, up_to_id bigint, max_rows integer,
                                   of_shard integer, shards integer)
    RETURNS TABLE (id bigint, event_id uuid, aggregate_type text, aggregate_id text, type text, exchange text,
                   routing_key text, correlation_id text, reply_to text, content_type text, headers text,
                   payload jsonb, payload_bytes bytea, created_at timestamptz, later timestamptz)
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
    SET row_security = off
    SET plan_cache_mode = force_generic_plan
    SET max_parallel_workers_per_gather = 0
    SET enable_seqscan = off
    SET enable_bitmapscan = off
    SET enable_sort = off
    SET jit = off AS
$$
#variable_conflict use_column
BEGIN
    PERFORM public.outbox_expect(present, s2);
    RETURN QUERY
    SELECT o.id, o.event_id, coalesce(o.aggregate_type, ''), coalesce(o.aggregate_id, ''),
           coalesce(o.type, ''), coalesce(o.exchange, ''), coalesce(o.routing_key, ''),
           coalesce(o.correlation_id, ''), coalesce(o.reply_to, ''), coalesce(o.content_type, ''),
           coalesce(o.headers::text, '{}'), o.payload, o.payload_bytes, o.created_at,
           CASE WHEN o.deliver_at > clock_timestamp() THEN o.deliver_at END
      FROM public.outbox AS o
     WHERE o.id > after_id AND o.id <= up_to_id
       AND (shards = 1 OR public.outbox_shard(o.aggregate_id, shards) = of_shard)
       AND pg_visible_in_snapshot(o.xact, s2)
       AND NOT pg_visible_in_snapshot(o.xact, s1)
     ORDER BY o.id
     LIMIT max_rows;
END
$$;
COMMENT ON FUNCTION public.outbox_page(text, pg_snapshot, pg_snapshot, bigint, bigint, integer, integer, integer) IS
    'The next rows of a window, by a walk along the primary key.';

-- A page of a window with few rows that lie far apart: a transaction that ran for hours
-- has committed and its rows are strewn among millions of published ones, which a walk
-- along the primary key would all visit. The ids come from the index on xact.
CREATE FUNCTION public.outbox_page_sparse(present text, s1 pg_snapshot, s2 pg_snapshot, after_id bigint, up_to_id bigint, max_rows integer,
                                          of_shard integer, shards integer)
    RETURNS TABLE (id bigint, event_id uuid, aggregate_type text, aggregate_id text, type text, exchange text,
                   routing_key text, correlation_id text, reply_to text, content_type text, headers text,
                   payload jsonb, payload_bytes bytea, created_at timestamptz, later timestamptz)
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
    SET row_security = off
    SET plan_cache_mode = force_generic_plan
    SET max_parallel_workers_per_gather = 0
    SET enable_seqscan = off
    SET enable_bitmapscan = off
    SET enable_hashjoin = off
    SET enable_mergejoin = off
    SET jit = off AS
$$
#variable_conflict use_column
BEGIN
    PERFORM public.outbox_expect(present, s2);
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
    SELECT o.id, o.event_id, coalesce(o.aggregate_type, ''), coalesce(o.aggregate_id, ''),
           coalesce(o.type, ''), coalesce(o.exchange, ''), coalesce(o.routing_key, ''),
           coalesce(o.correlation_id, ''), coalesce(o.reply_to, ''), coalesce(o.content_type, ''),
           coalesce(o.headers::text, '{}'), o.payload, o.payload_bytes, o.created_at,
           CASE WHEN o.deliver_at > clock_timestamp() THEN o.deliver_at END
      FROM ids AS i JOIN public.outbox AS o ON o.id = i.id
     ORDER BY o.id;
END
$$;
COMMENT ON FUNCTION public.outbox_page_sparse(text, pg_snapshot, pg_snapshot, bigint, bigint, integer, integer, integer) IS
    'The same rows as outbox_page gives, by the index on xact.';

-- Where a row of a page cannot be read, the page fails as a whole. Its ids are read then,
-- and each row by itself.
CREATE FUNCTION public.outbox_page_ids(present text, s1 pg_snapshot, s2 pg_snapshot, after_id bigint, up_to_id bigint, max_rows integer,
                                       of_shard integer, shards integer)
    RETURNS SETOF bigint
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
    SET row_security = off
    SET plan_cache_mode = force_generic_plan
    SET max_parallel_workers_per_gather = 0
    SET enable_seqscan = off
    SET enable_bitmapscan = off
    SET enable_sort = off
    SET jit = off AS
$$
BEGIN
    PERFORM public.outbox_expect(present, s2);
    RETURN QUERY
    SELECT o.id FROM public.outbox AS o
     WHERE o.id > after_id AND o.id <= up_to_id
       AND (shards = 1 OR public.outbox_shard(o.aggregate_id, shards) = of_shard)
       AND pg_visible_in_snapshot(o.xact, s2)
       AND NOT pg_visible_in_snapshot(o.xact, s1)
     ORDER BY o.id
     LIMIT max_rows;
END
$$;
COMMENT ON FUNCTION public.outbox_page_ids(text, pg_snapshot, pg_snapshot, bigint, bigint, integer, integer, integer) IS
    'The ids of the rows that outbox_page gives.';
