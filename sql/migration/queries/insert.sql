-- Notes one migration, in the transaction that applied it.
INSERT INTO public.saga_migration (line, version) VALUES ($1, $2);
