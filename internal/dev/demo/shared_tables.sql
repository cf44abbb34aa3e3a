-- Where the tables of the database lie, and of whom: business tables by their name, the
-- others are this project's. Partitions are left out, for their table is there.
SELECT n.nspname AS schema,
       CASE WHEN c.relname IN ('reservation') THEN 'the reservation service'
            WHEN c.relname IN ('room', 'booking') THEN 'the hotel'
            WHEN c.relname IN ('ledger') THEN 'the payment service'
            WHEN c.relname ~ '^saga(_history|_definition|_webhook.*|_watch.*)?$' THEN 'the orchestrator'
            ELSE 'all of this schema' END AS belongs_to,
       string_agg(c.relname, ' ' ORDER BY c.relname) AS tables
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = ANY ($1::text[]) AND c.relkind IN ('r', 'p') AND NOT c.relispartition
GROUP BY 1, 2
ORDER BY 1, min(c.relname)
