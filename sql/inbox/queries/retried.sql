-- Marks messages that were put back. $1 ids, $2 by whom, $3 why.
UPDATE public.inbox_quarantine
SET state = 'retried', handled_at = clock_timestamp(), handled_by = $2, note = NULLIF($3::text, '')
WHERE id = ANY ($1::bigint[])
