-- Every message that is there now counts as published. No relay runs; the log is put into
-- service as its first lease would.
SELECT public.outbox_rebase();
UPDATE public.outbox_position
SET settled = pg_current_snapshot(), window_end = NULL, last_id = NULL;

DROP SCHEMA aged CASCADE;
