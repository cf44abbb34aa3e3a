-- Sets the number of shards; returns the former one.
-- $1 number of shards.
SELECT public.outbox_reshard($1)
