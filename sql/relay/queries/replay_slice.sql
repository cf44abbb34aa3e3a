-- What has become of the rows with some ids that match, and the id to go on from, null at
-- the end. A slice is a range of ids and not a number of rows: the planner then reads no
-- more than the slice, however stale its statistics are. Only the rows that match are
-- looked up in the view, one by one; joined with it, all of the slice would be.
-- $1 from this id on, $2 up to this id, $3 ids in the slice; null leaves open: $4 created
-- at or after, $5 created at or before, $6 aggregate_id, $7 type, $8 exchange.
-- $9 discarded ones, too.
WITH matching AS (
    SELECT o.id, o.created_at, v.state,
           v.state = 'published' OR $9::boolean AND v.state = 'discarded' AS found
    FROM public.outbox AS o
    CROSS JOIN LATERAL (SELECT w.state FROM public.outbox_overview AS w WHERE w.id = o.id LIMIT 1) AS v
    WHERE o.id >= $1 AND o.id < $1 + $3 AND o.id <= $2
      AND ($4::timestamptz IS NULL OR o.created_at >= $4)
      AND ($5::timestamptz IS NULL OR o.created_at <= $5)
      AND ($6::text IS NULL OR o.aggregate_id = $6)
      AND ($7::text IS NULL OR o.type = $7)
      AND ($8::text IS NULL OR o.exchange = $8)
)
SELECT (SELECT min(n.id) FROM public.outbox AS n WHERE n.id >= $1 + $3 AND n.id <= $2),
       COALESCE(array_agg(m.id ORDER BY m.id) FILTER (WHERE m.found), '{}'),
       min(m.created_at) FILTER (WHERE m.found),
       max(m.created_at) FILTER (WHERE m.found),
       count(*) FILTER (WHERE m.state = 'pending'),
       count(*) FILTER (WHERE m.state = 'discarded' AND NOT m.found),
       count(*) FILTER (WHERE m.state NOT IN ('published', 'pending', 'discarded'))
FROM matching AS m
