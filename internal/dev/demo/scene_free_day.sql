-- The first day for which no room was ever booked, so that every run finds its rooms open.
-- It is beyond the days of those demos that make reservations: these know of no others.
SELECT greatest(max(upper(stay)), DATE '2040-01-10') FROM public.booking
