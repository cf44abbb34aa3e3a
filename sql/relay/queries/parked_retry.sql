-- Tries parked messages again.
-- $1 ids, $2 note.
SELECT public.outbox_parked_retry($1::bigint[], $2::text)
