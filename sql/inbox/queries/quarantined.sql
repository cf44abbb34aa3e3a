-- How many messages wait in the quarantine, counted up to $1: what waits there is few.
SELECT count(*) FROM (SELECT FROM public.inbox_quarantine WHERE state = 'held' LIMIT $1::integer) AS q
