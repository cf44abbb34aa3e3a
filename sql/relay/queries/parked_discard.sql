-- Gives parked messages up.
-- $1 ids, $2 note.
SELECT public.outbox_parked_discard($1::bigint[], $2::text)
