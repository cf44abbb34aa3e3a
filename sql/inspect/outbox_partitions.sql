-- How the outbox is divided up, and how much each partition holds. Any database with an
-- outbox. The last one is the reserve; outbox_default is small when all is well.
SELECT c.relname AS partition,
       p.first_id,
       p.last_id,
       public.outbox_last_id() BETWEEN p.first_id AND p.last_id AS written_to,
       pg_size_pretty(pg_total_relation_size(c.oid)) AS size,
       greatest(c.reltuples, 0)::bigint AS rows_at_last_analyze
FROM pg_class AS c
LEFT JOIN public.outbox_partitions AS p ON p.partition = c.oid
WHERE p.partition IS NOT NULL OR c.oid = 'public.outbox_default'::regclass
ORDER BY p.first_id;
