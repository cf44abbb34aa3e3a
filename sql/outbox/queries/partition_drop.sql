-- Drops one partition at most; '' for none, where the next call need not follow at once.
-- $1 seconds that published rows are kept.
SELECT coalesce(public.outbox_partition_drop(make_interval(secs => $1)), '')
