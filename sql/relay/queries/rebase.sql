-- Makes a log whole that came from another cluster.
SELECT public.outbox_rebase()
