-- Locks at most $1 sagas whose timer is due, those to be looked at first first, but
-- not those in $2. postpone.sql has cleared the index of what is only to be looked
-- at. SKIP LOCKED shares the work among orchestrators and passes over a saga whose
-- reply is being applied; if a reply was applied since the statement began,
-- PostgreSQL tests the condition again on the new row. now(), because the index
-- serves no volatile function.
SELECT s.id, s.type, s.definition_version, s.status, s.paused, s.step_status, s.waiting, s.payload, s.outputs,
       s.signals, s.failure, s.business_key, s.webhooks, s.version, s.deadline, s.started_at, s.updated_at, s.ended_at,
       s.sent_xact::text::bigint, sent.shard, sent.held, sent.dead
FROM public.saga s
CROSS JOIN LATERAL public.saga_sent(s.id, s.sent_xact) AS sent
WHERE s.look_at <= now() AND s.wake_at <= now() AND s.id <> ALL ($2::uuid[])
ORDER BY s.look_at
LIMIT $1::integer
OFFSET public.saga_hidden()
FOR NO KEY UPDATE OF s SKIP LOCKED
