-- A line's applied migrations, newest first.
SELECT version FROM public.saga_migration WHERE line = $1 ORDER BY version DESC;
