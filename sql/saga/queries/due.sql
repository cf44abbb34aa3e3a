-- Locks at most $1 sagas whose timer is due, the longest due first, but not those
-- in $2. SKIP LOCKED shares the work among orchestrators and passes over a saga
-- whose reply is being applied; if a reply was applied since the statement began,
-- PostgreSQL tests the condition again on the new row. now(), because the index
-- serves no volatile function.
SELECT s.id, s.type, s.definition_version, s.status, s.current_step, s.operation, s.attempt, s.step_status,
       s.payload, s.outputs, s.failure, s.park_reason, s.business_key, s.version,
       s.wake_at, s.started_at, s.updated_at, s.ended_at
FROM public.saga s
WHERE s.wake_at <= now() AND s.status IN ('STARTED', 'ABORTING') AND s.id <> ALL ($2::uuid[])
ORDER BY s.wake_at
LIMIT $1::integer
FOR NO KEY UPDATE SKIP LOCKED
