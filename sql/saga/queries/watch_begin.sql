-- Begins courses of choreographies; one that is known, or that somebody else begins at the
-- same time, is left as it is. The order keeps two watchers from waiting for each other in
-- a circle.
-- $1 to $10 id, type, version, business key, status, events, and when it was started,
-- changed, is due and has ended, of each.
INSERT INTO public.saga_watch AS w (id, type, definition_version, business_key, status, events, started_at, updated_at, due_at, ended_at)
SELECT c.id, c.type, c.version, c.business_key, c.status, c.events, c.started_at, c.updated_at, c.due_at, c.ended_at
FROM unnest($1::uuid[], $2::text[], $3::integer[], $4::text[], $5::text[], $6::jsonb[],
            $7::timestamptz[], $8::timestamptz[], $9::timestamptz[], $10::timestamptz[])
     AS c (id, type, version, business_key, status, events, started_at, updated_at, due_at, ended_at)
ORDER BY c.id, c.type COLLATE "C"
ON CONFLICT DO NOTHING
RETURNING w.id, w.type
