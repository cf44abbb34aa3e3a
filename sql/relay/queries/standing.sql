-- Why acquire.sql got no row: the same conditions, told apart.
-- $1 shard.
SELECT public.outbox_is_foreign(),
       public.outbox_in_service(),
       EXISTS (SELECT FROM public.outbox_position AS p WHERE p.shard = $1),
       COALESCE((SELECT p.holder FROM public.outbox_position AS p WHERE p.shard = $1), '')
