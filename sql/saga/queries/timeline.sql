-- The latest events of one saga as sentences, in order: $2 rows, before the event $3.
SELECT t.seq, t.at, t.elapsed_ms::float8, t.sentence, t.kind, coalesce(t.step, '') AS step, coalesce(t.operation, '') AS operation,
       coalesce(t.attempt, 0) AS attempt, coalesce(t.outcome, '') AS outcome, t.disposition, t.detail, t.problem,
       coalesce(t.who, '') AS who, coalesce(t.message_id, '') AS message_id
FROM (
    SELECT v.* FROM public.saga_timeline v
    WHERE v.saga_id = $1::uuid AND v.seq < $3::bigint
    ORDER BY v.seq DESC
    LIMIT $2::integer
) AS t
ORDER BY t.seq
OFFSET public.saga_hidden()
