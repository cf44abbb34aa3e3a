-- Locks the sagas in id order: two batches that share sagas wait for one another
-- and cannot deadlock. NO KEY UPDATE excludes every other writer of the row but
-- not the foreign key check of a table of somebody else's that refers to it.
SELECT s.id, s.type, s.definition_version, s.status, s.paused, s.step_status, s.waiting, s.payload, s.outputs,
       s.signals, s.failure, s.business_key, s.webhooks, s.version, s.deadline, s.started_at, s.updated_at, s.ended_at
FROM public.saga s
WHERE s.id = ANY ($1::uuid[])
ORDER BY s.id
OFFSET public.saga_hidden()
FOR NO KEY UPDATE
