-- Whether a schema exists. Asked before CREATE SCHEMA IF NOT EXISTS, which needs
-- the right to create schemas even where there is nothing to create.
SELECT EXISTS (SELECT FROM pg_catalog.pg_namespace AS n WHERE n.nspname = $1);
