-- Whose schema it is: no row where the service has no name yet.
SELECT name, id FROM public.saga_service
