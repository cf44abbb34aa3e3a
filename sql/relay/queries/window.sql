-- Opens a window and measures it: the rows that the later snapshot sees and the
-- settled one does not. Both branches read the index on xact alone. The bounds
-- come as sub-selects, not as literals: the planner then assumes a narrow range
-- and stays with the index, however stale its statistics are.
-- Rows of transactions that ran when the settled snapshot was taken are the
-- second branch; their xact is below its xmax, so the branches are disjoint.
-- min(id) is the only right lower bound for reading in id order: an id can be
-- drawn before its transaction has a number, so no sequence value will do.
-- $1 settled, $2 the window's end ('' takes the current snapshot), $3 last id.
WITH w AS MATERIALIZED (
    SELECT $1::text::pg_snapshot AS settled,
           COALESCE(NULLIF($2::text, '')::pg_snapshot, pg_current_snapshot()) AS ends
), r AS (
    SELECT o.id FROM public.outbox AS o, w
    WHERE o.xact >= (SELECT pg_snapshot_xmax(w.settled) FROM w)
      AND o.xact < (SELECT pg_snapshot_xmax(w.ends) FROM w)
      AND pg_visible_in_snapshot(o.xact, w.ends)
    UNION ALL
    SELECT o.id FROM public.outbox AS o, w
    WHERE o.xact = ANY (ARRAY(SELECT pg_snapshot_xip(w.settled) FROM w))
      AND pg_visible_in_snapshot(o.xact, w.ends)
)
SELECT (SELECT w.ends::text FROM w), COALESCE(min(r.id), 0), COALESCE(max(r.id), 0), count(r.id)
FROM r
WHERE r.id > $3
