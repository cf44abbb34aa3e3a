-- Partitions ahead of need; the function says all there is to say.
-- $1 ids a partition, $2 partitions ahead.
SELECT public.outbox_partitions_ahead($1, $2)
