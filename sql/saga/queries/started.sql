-- The database's time, and the saga that was started under (type $1, key $2)
-- before, if any. The clock and not now(): the caller's transaction may be old,
-- and a deadline counts from the decision.
SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS microseconds,
       coalesce((SELECT s.id::text FROM public.saga s WHERE s.type = $1::text AND s.business_key = $2::text), '') AS id
