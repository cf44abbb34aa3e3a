-- A relay stops: from now on its shards are for the others.
-- $1 holder.
DELETE FROM public.outbox_member WHERE holder = $1
