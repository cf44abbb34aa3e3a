-- The ends of several sagas. Only PENDING moves, so an event may come any number of
-- times; of two for one saga the first counts. Found and moved are told apart: an event
-- for a saga that is not here is somebody else's, an event for a finished reservation a
-- duplicate. The array in the condition has the planner walk the index also where it
-- knows nothing of the table yet; it would read all of a new one for the join alone.
-- $1, $2, $3 saga, status and failure reason of each.
WITH told AS MATERIALIZED (
    SELECT t.saga_id, t.status, t.reason, t.place
    FROM unnest($1::uuid[], $2::text[], $3::text[]) WITH ORDINALITY AS t (saga_id, status, reason, place)
), found AS MATERIALIZED (
    SELECT r.saga_id
    FROM public.reservation AS r
    WHERE r.saga_id = ANY ($1::uuid[])
), moved AS (
    UPDATE public.reservation AS r
    SET status = t.status, failure_reason = t.reason, updated_at = now()
    FROM (SELECT DISTINCT ON (t.saga_id) t.* FROM told AS t ORDER BY t.saga_id, t.place) AS t
    WHERE r.saga_id = ANY ($1::uuid[]) AND r.saga_id = t.saga_id AND r.status = 'PENDING'
    RETURNING t.place
)
SELECT found.saga_id IS NOT NULL AS found, moved.place IS NOT NULL AS moved
FROM told
LEFT JOIN found ON found.saga_id = told.saga_id
LEFT JOIN moved ON moved.place = told.place
ORDER BY told.place
