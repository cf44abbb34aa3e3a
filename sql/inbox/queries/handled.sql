-- Marks messages that were put back or given up. $1 ids, $2 retried or discarded, $3 by
-- whom, $4 why.
UPDATE public.inbox_quarantine
SET state = $2::text, tries = tries + CASE $2::text WHEN 'retried' THEN 1 ELSE 0 END, retry_at = NULL,
    handled_at = clock_timestamp(), handled_by = $3, note = NULLIF($4::text, '')
WHERE id = ANY ($1::bigint[])
