-- Who holds the shards, for one who only appends: see the function.
SELECT l.shard, COALESCE(l.holder, ''), COALESCE(l.stands, ''), COALESCE(l.lasts, 0) FROM public.outbox_leases() AS l
