-- Takes the events of a batch that this consumer has not handled: one row each. The order
-- is that of the ids, so that two consumers cannot wait for each other in a circle.
-- $1 consumer, $2 ids, none twice, $3 when each was sent, null where it is not said.
INSERT INTO public.inbox_handled AS h (consumer, message_id, sent_at)
SELECT $1::text, g.id, g.sent
FROM unnest($2::text[], $3::timestamptz[]) AS g (id, sent)
ORDER BY g.id COLLATE "C"
ON CONFLICT DO NOTHING
RETURNING h.message_id
