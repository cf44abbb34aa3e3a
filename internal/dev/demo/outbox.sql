-- What the reservation's database sent: commands, and the sagas' own ends.
SELECT o.id, r.guest_id AS guest, o.state, o.type, o.destination
FROM public.outbox_overview AS o
JOIN public.outbox AS x ON x.id = o.id
JOIN public.reservation AS r ON r.saga_id::text = x.aggregate_id
WHERE r.id::text = ANY ($1::text[])
ORDER BY o.id
