-- Whether the book of migrations exists. to_regclass answers null, not an error,
-- for a table or a schema that is missing.
SELECT to_regclass('public.saga_migration') IS NOT NULL;
