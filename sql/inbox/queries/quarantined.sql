-- How many messages wait in the quarantine, counted up to $1: what waits there is few.
SELECT count(*) FROM (SELECT FROM public.inbox_quarantine WHERE state IN ('held', 'dead') LIMIT $1::integer) AS q
