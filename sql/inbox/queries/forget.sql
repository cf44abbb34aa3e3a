-- Deletes a few messages of a consumer that nobody needs any more: those that were handled,
-- or are dead, for longer than that. What somebody has in hand is left.
-- $1 consumer, $2 and $3 seconds for handled and dead ones, null for never, $4 rows of each.
WITH old AS MATERIALIZED (
    (SELECT q.id FROM public.inbox_quarantine AS q
      WHERE q.consumer = $1 AND q.state IN ('retried', 'discarded') AND q.handled_at < now() - make_interval(secs => $2)
      ORDER BY q.handled_at LIMIT $4)
    UNION ALL
    (SELECT q.id FROM public.inbox_quarantine AS q
      WHERE q.consumer = $1 AND q.state = 'dead' AND q.last_received_at < now() - make_interval(secs => $3)
      ORDER BY q.last_received_at LIMIT $4)
), locked AS MATERIALIZED (
    SELECT q.id FROM public.inbox_quarantine AS q
    WHERE q.id IN (SELECT old.id FROM old)
      AND (q.state IN ('retried', 'discarded') AND q.handled_at < now() - make_interval(secs => $2)
        OR q.state = 'dead' AND q.last_received_at < now() - make_interval(secs => $3))
    FOR UPDATE SKIP LOCKED
), gone AS (
    DELETE FROM public.inbox_quarantine AS q USING locked WHERE q.id = locked.id
    RETURNING q.state
)
SELECT count(*) FILTER (WHERE gone.state <> 'dead') AS handled, count(*) FILTER (WHERE gone.state = 'dead') AS dead
FROM gone
