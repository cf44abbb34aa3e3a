-- Counts the waits of at most $1 sagas anew whose rows were written in the future: the
-- database's clock has gone back since, or it is another machine's. Each would end late
-- by as much. All times of a row but that of its start are of one clock, so they move
-- together, as far as the row is ahead: no wait is longer then than it was meant to be.
-- A second is let pass, since clocks are set by fractions all the time. No history:
-- nothing happened to the sagas. What is locked is being written just now, by somebody
-- who does the same. It reads all sagas that run.
WITH ahead AS (
    SELECT s.id, s.updated_at - clock_timestamp() AS span
    FROM public.saga AS s
    WHERE s.look_at IS NOT NULL AND s.updated_at > clock_timestamp() + interval '1 second'
    LIMIT $1::integer
    FOR NO KEY UPDATE SKIP LOCKED
), moved AS (
    UPDATE public.saga AS s
    SET updated_at = s.updated_at - a.span, look_at = s.look_at - a.span, wake_at = s.wake_at - a.span,
        deadline = s.deadline - a.span,
        waiting = (SELECT coalesce(jsonb_object_agg(w.key, CASE WHEN w.value ? 'wake_at'
                       THEN w.value || jsonb_build_object('wake_at', to_char(
                            ((w.value ->> 'wake_at')::timestamptz - a.span) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))
                       ELSE w.value END), '{}')
                     FROM jsonb_each(s.waiting) AS w)
    FROM ahead AS a
    WHERE s.id = a.id
    RETURNING a.span
)
SELECT count(*), (extract(epoch FROM coalesce(max(m.span), '0')) * 1000000)::bigint FROM moved AS m
OFFSET public.saga_hidden()
