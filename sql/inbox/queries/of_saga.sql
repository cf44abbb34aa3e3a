-- What was set aside of one saga and did not go back: what waits first, then what was given
-- up, the newest first; and how many there are in all. They are found before they are put
-- in order: for the newest few the planner would rather walk all of the quarantine by its key.
-- $1 the saga's id, $2 rows.
WITH found AS MATERIALIZED (
    SELECT q.id, q.state = 'discarded' AS given_up
    FROM public.inbox_quarantine AS q
    WHERE q.saga_ids @> ARRAY[$1::text] AND q.state IN ('held', 'dead', 'discarded')
), shown AS (
    SELECT f.id, f.given_up, count(*) OVER () AS total
    FROM found AS f
    ORDER BY f.given_up, f.id DESC
    LIMIT $2::integer
)
SELECT q.id, q.consumer, q.queue, q.state, q.code, q.reason, COALESCE(q.message_id, '') AS message_id,
       COALESCE(q.properties ->> 'type', '') AS type, q.deliveries, q.tries, q.retry_at, q.received_at,
       q.last_received_at, q.handled_at, COALESCE(q.handled_by, '') AS handled_by, COALESCE(q.note, '') AS note,
       shown.total
FROM shown
JOIN public.inbox_quarantine AS q ON q.id = shown.id
ORDER BY shown.given_up, q.id DESC
