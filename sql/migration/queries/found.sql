-- Which of the objects that a migration makes are there: somebody may have run its file.
-- $1 kinds, $2 names
SELECT o.name
  FROM unnest($1::text[], $2::text[]) AS o (kind, name)
  JOIN pg_catalog.pg_namespace AS n ON n.nspname = (parse_ident('public.x'))[1]
 WHERE CASE o.kind
           WHEN 'FUNCTION' THEN EXISTS (SELECT FROM pg_catalog.pg_proc AS p WHERE p.pronamespace = n.oid AND p.proname = o.name)
           WHEN 'TRIGGER' THEN EXISTS (SELECT FROM pg_catalog.pg_trigger AS t JOIN pg_catalog.pg_class AS c ON c.oid = t.tgrelid
                                       WHERE c.relnamespace = n.oid AND t.tgname = o.name)
           ELSE EXISTS (SELECT FROM pg_catalog.pg_class AS c WHERE c.relnamespace = n.oid AND c.relname = o.name)
       END;
