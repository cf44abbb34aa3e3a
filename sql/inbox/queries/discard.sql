-- Gives a few messages up that wait, the oldest first, and returns the last of them and
-- how many there were.
-- $1 to $5 as in list.sql, $6 after this id, $7 up to this one, $8 rows, $9 by whom, $10 why.
WITH few AS MATERIALIZED (
    SELECT q.id
    FROM public.inbox_quarantine AS q
    WHERE ($1::bigint[] IS NULL OR q.id = ANY ($1))
      AND ($2::text[] IS NULL AND q.state = 'held' OR q.state = ANY ($2))
      AND ($3::text[] IS NULL OR q.consumer = ANY ($3))
      AND ($4::text[] IS NULL OR q.code = ANY ($4))
      AND q.received_at <= clock_timestamp() - make_interval(secs => $5)
      AND q.state = 'held' AND q.id > $6 AND q.id <= $7
    ORDER BY q.id
    LIMIT $8
    FOR UPDATE
), given_up AS (
    UPDATE public.inbox_quarantine AS g
    SET state = 'discarded', handled_at = clock_timestamp(), handled_by = $9, note = $10
    FROM few WHERE g.id = few.id
    RETURNING g.id
)
SELECT COALESCE(max(id), 0) AS last, count(*) AS messages FROM given_up
