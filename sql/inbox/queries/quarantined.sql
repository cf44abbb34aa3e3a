-- How many messages lie in the quarantine, counted up to $1: what lies there is few.
SELECT count(*) FROM (SELECT FROM public.inbox_quarantine LIMIT $1::integer) AS q
