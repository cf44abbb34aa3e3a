-- Writes what is known now of courses that this transaction has locked.
-- $1 id, $2 type, $3 business key, $4 status, $5 events, $6 changed, $7 due, $8 ended, of each.
UPDATE public.saga_watch AS w
SET business_key = c.business_key, status = c.status, events = c.events, updated_at = c.updated_at, due_at = c.due_at, ended_at = c.ended_at
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::jsonb[], $6::timestamptz[], $7::timestamptz[], $8::timestamptz[])
     AS c (id, type, business_key, status, events, updated_at, due_at, ended_at)
WHERE w.id = c.id AND w.type = c.type
