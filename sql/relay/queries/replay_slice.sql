-- The next rows of the log, and what has become of those that match: a stretch of the
-- primary key each, so that no statement is long however much is kept. The last id is
-- null at the end of the log.
-- $1 after this id, $2 up to this id, $3 rows; null leaves open: $4 created at or after,
-- $5 created at or before, $6 aggregate_id, $7 type, $8 exchange. $9 discarded ones, too.
WITH slice AS MATERIALIZED (
    SELECT o.id, o.created_at,
           ($4::timestamptz IS NULL OR o.created_at >= $4)
           AND ($5::timestamptz IS NULL OR o.created_at <= $5)
           AND ($6::text IS NULL OR o.aggregate_id = $6)
           AND ($7::text IS NULL OR o.type = $7)
           AND ($8::text IS NULL OR o.exchange = $8) AS matches
    FROM public.outbox AS o
    WHERE o.id > $1 AND o.id <= $2
    ORDER BY o.id
    LIMIT $3
), matching AS (
    SELECT s.id, s.created_at, v.state,
           v.state = 'published' OR $9::boolean AND v.state = 'discarded' AS found
    FROM slice AS s
    JOIN public.outbox_overview AS v ON v.id = s.id
    WHERE s.matches AND v.id > $1 AND v.id <= (SELECT max(l.id) FROM slice AS l)
)
SELECT (SELECT max(s.id) FROM slice AS s),
       COALESCE(array_agg(m.id ORDER BY m.id) FILTER (WHERE m.found), '{}'),
       min(m.created_at) FILTER (WHERE m.found),
       max(m.created_at) FILTER (WHERE m.found),
       count(*) FILTER (WHERE m.state = 'pending'),
       count(*) FILTER (WHERE m.state = 'discarded' AND NOT m.found),
       count(*) FILTER (WHERE m.state NOT IN ('published', 'pending', 'discarded'))
FROM matching AS m
