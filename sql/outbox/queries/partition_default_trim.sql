-- One batch of what partitions do not hold. Its size is the function's.
-- $1 seconds that published rows are kept.
SELECT public.outbox_default_trim(make_interval(secs => $1))
