-- After some messages of these aggregates have gone, the next ones are to be tried.
-- $1 aggregate_ids.
SELECT public.outbox_parked_promote($1::text[])
