-- Deletes a few courses that ended long ago: $1 microseconds, $2 rows. One that somebody has
-- in hand is left for the next time.
WITH old AS MATERIALIZED (
    SELECT w.id, w.type
    FROM public.saga_watch AS w
    WHERE w.ended_at < now() - $1::bigint * interval '1 microsecond'
    ORDER BY w.ended_at
    LIMIT $2
    FOR UPDATE SKIP LOCKED
), gone AS (
    DELETE FROM public.saga_watch AS w USING old WHERE w.id = old.id AND w.type = old.type
    RETURNING w.id
)
SELECT count(*) FROM gone
OFFSET public.saga_hidden()
