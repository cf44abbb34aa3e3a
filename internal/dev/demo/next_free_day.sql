-- The first day that no earlier demo has asked for, so that every run finds its
-- rooms open.
SELECT greatest(max(end_date), DATE '2027-01-10') FROM public.reservation
