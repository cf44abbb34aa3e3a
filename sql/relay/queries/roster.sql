-- Who is alive and who holds which shard, in one statement so that both are of one
-- moment. What is over by the database's clock is left out; for the rest, the end and the
-- length say whether it is void: the end as a number in a text, which an infinite one has
-- too. Element n of the holders is shard n-1; '' is a shard that is free to take.
-- A log without any shard came by a dump: it is shown as one free shard, because it
-- is the holder of that who finds out and mends it.
SELECT m.holders, m.ends, m.lengths, COALESCE(p.holders, ARRAY['']), COALESCE(p.ends, ARRAY['']), COALESCE(p.lengths, ARRAY[0::float8])
FROM (SELECT COALESCE(array_agg(a.holder), '{}') AS holders,
             COALESCE(array_agg(extract(epoch FROM a.seen_until)::text), '{}') AS ends,
             COALESCE(array_agg(extract(epoch FROM a.lifetime)::float8), '{}') AS lengths
      FROM public.outbox_member AS a WHERE a.seen_until > clock_timestamp()) AS m
CROSS JOIN (
      SELECT array_agg(CASE WHEN l.held THEN l.holder ELSE '' END ORDER BY l.shard) AS holders,
             array_agg(CASE WHEN l.held THEN l.epoch || ' ' || extract(epoch FROM l.lease_until) ELSE '' END ORDER BY l.shard) AS ends,
             array_agg(COALESCE(extract(epoch FROM l.lease_for), 0)::float8 ORDER BY l.shard) AS lengths
      FROM (SELECT q.*, COALESCE(q.lease_until > clock_timestamp(), false) AS held FROM public.outbox_position AS q) AS l) AS p
