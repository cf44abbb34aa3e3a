-- The courses of some ids ($1), of whatever choreography, locked in one order.
SELECT w.id, w.type, w.definition_version, w.business_key, w.status, w.events, w.started_at, w.updated_at, w.due_at, w.ended_at
FROM public.saga_watch AS w
WHERE w.id = ANY ($1::uuid[])
ORDER BY w.id, w.type COLLATE "C"
FOR NO KEY UPDATE
OFFSET public.saga_hidden()
