-- What a table is, as far as its adoption depends on it.
-- $1 schema, $2 name.
SELECT c.oid, c.relkind::text, c.relpersistence::text,
       EXISTS (SELECT FROM pg_inherits AS i WHERE c.oid IN (i.inhrelid, i.inhparent)),
       c.relforcerowsecurity,
       pg_has_role(c.relowner, 'USAGE'),
       pg_size_pretty(pg_total_relation_size(c.oid)),
       pg_stat_get_tuples_deleted(c.oid),
       ARRAY(SELECT g.tgname::text FROM pg_trigger AS g
             WHERE g.tgrelid = c.oid AND NOT g.tgisinternal AND g.tgtype & 4 <> 0 -- on INSERT
               AND g.tgname <> 'outbox_stamped' ORDER BY g.tgname),
       EXISTS (SELECT FROM pg_trigger AS g WHERE g.tgrelid = c.oid AND g.tgname = 'outbox_stamped' AND g.tgenabled = 'A')
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = $1 AND c.relname = $2
