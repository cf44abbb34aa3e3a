-- Says when a message is tried again: $1 id, $2 tries so far, $3 in so many seconds; null
-- where it is not by itself.
UPDATE public.inbox_quarantine
SET tries = $2, state = CASE WHEN $3::float8 IS NULL THEN 'dead' ELSE 'held' END,
    retry_at = clock_timestamp() + make_interval(secs => $3)
WHERE id = $1
