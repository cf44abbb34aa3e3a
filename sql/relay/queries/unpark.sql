-- The broker has confirmed these: their entries, and no other row's that has the id by now.
-- $1 ids, $2 event ids: element n of each is message n.
DELETE FROM public.outbox_parked AS p
 USING unnest($1::bigint[], $2::uuid[]) AS m (id, event_id)
 WHERE p.id = m.id AND (p.event_id IS NULL OR p.event_id = m.event_id)
