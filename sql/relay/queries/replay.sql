-- Publishes messages once more.
-- $1 ids, $2 note.
SELECT public.outbox_replay($1::bigint[], $2::text)
