-- A line's applied migrations, in order.
SELECT version FROM public.saga_migration WHERE line = $1 ORDER BY version;
