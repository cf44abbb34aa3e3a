-- Leaves sagas ($1) alone until the times that belong to them ($2). The times in waiting
-- stay: they say since when the step would have been acted upon.
UPDATE public.saga AS s
SET wake_at = r.until, look_at = r.until
FROM unnest($1::uuid[], $2::timestamptz[]) AS r (id, until)
WHERE s.id = ANY ($1::uuid[]) AND s.id = r.id
