-- Who is alive and who holds which shard, in one statement so that both are of one
-- moment. Element n of the holders is shard n-1; '' is a shard that is free to take.
-- A log without any shard came by a dump: it is shown as one free shard, because it
-- is the holder of that who finds out and mends it.
SELECT ARRAY(SELECT m.holder FROM public.outbox_member AS m
             WHERE m.seen_until > clock_timestamp()),
       COALESCE((SELECT array_agg(CASE WHEN p.lease_until > clock_timestamp() THEN p.holder ELSE '' END ORDER BY p.shard)
                 FROM public.outbox_position AS p), ARRAY[''])
