-- The broker has confirmed these.
-- $1 ids.
DELETE FROM public.outbox_parked WHERE id = ANY ($1::bigint[])
