-- Forgets a few events that were sent and handled long ago, and says so in inbox_forgotten,
-- in one statement: nobody sees the one without the other. A clock that is fast must not
-- make events old: both have to say so, the database's and that of the program.
-- $1 consumer, $2 now by the program's clock, $3 for how many seconds they are remembered, $4 rows.
WITH old AS MATERIALIZED (
    SELECT h.message_id
    FROM public.inbox_handled AS h
    WHERE h.consumer = $1 AND h.sent_at IS NOT NULL
      AND greatest(h.sent_at, h.handled_at) < LEAST($2::timestamptz, clock_timestamp()) - make_interval(secs => $3)
    ORDER BY greatest(h.sent_at, h.handled_at)
    LIMIT $4
), gone AS (
    DELETE FROM public.inbox_handled AS h USING old WHERE h.consumer = $1 AND h.message_id = old.message_id
    RETURNING h.sent_at
), moved AS (
    INSERT INTO public.inbox_forgotten AS f (consumer, sent_to)
    SELECT $1, max(gone.sent_at) FROM gone HAVING count(*) > 0
    ON CONFLICT (consumer) DO UPDATE SET sent_to = greatest(f.sent_to, excluded.sent_to), moved_at = excluded.moved_at
)
SELECT count(*) FROM gone
