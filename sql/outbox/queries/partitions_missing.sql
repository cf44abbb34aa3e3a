-- How many of so many partitions beyond the id drawn last are missing.
-- $1 partitions.
SELECT public.outbox_partitions_missing($1)
