-- Why acquire.sql got no row: the same conditions, told apart. A lease is its
-- epoch and its end, as a number, which an infinite one has too, whatever the time zone.
-- $1 shard.
SELECT public.outbox_is_foreign(), public.outbox_in_service(), p.epoch IS NOT NULL, COALESCE(p.holder, ''),
       COALESCE(p.epoch || ' ' || extract(epoch FROM p.lease_until), ''), COALESCE(extract(epoch FROM p.lease_for), 0)::float8
FROM (SELECT $1::integer AS shard) AS asked
LEFT JOIN public.outbox_position AS p USING (shard)
