-- What the relay has published or set aside, by shard: a transaction of the log that the
-- shard's snapshot sees. Empty where no relay serves this database.
SELECT public.saga_settled()
