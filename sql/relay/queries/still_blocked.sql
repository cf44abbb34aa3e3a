-- Which of these aggregates have messages left that the later ones must wait for.
-- $1 aggregate_ids.
SELECT a.aggregate_id
FROM unnest($1::text[]) AS a (aggregate_id)
WHERE EXISTS (SELECT FROM public.outbox_parked AS p
              WHERE p.aggregate_id = a.aggregate_id AND p.state IN ('retry', 'waiting', 'dead'))
