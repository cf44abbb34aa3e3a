-- Whether the book of migrations exists. By the catalogue's rows: to_regclass may answer by
-- what it knew before the wait for another migration.
SELECT EXISTS (SELECT FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
                WHERE n.nspname = (parse_ident('public.x'))[1] AND c.relname = 'saga_migration');
