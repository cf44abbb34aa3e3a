-- Keeps the outputs and refusals of all REQUESTs of a batch that entered in this
-- transaction, as the function saga_barrier_leave would one by one, at less than half
-- of the cost. The array in the condition has the planner walk the key also where it
-- knows nothing of the table yet; it would read all of a new one for the join alone.
-- $1 to $4 saga, step, outcome (succeeded or failed) and body of the answer of each.
UPDATE public.saga_barrier b
SET state = c.outcome, reply = c.body::jsonb
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[]) AS c (saga, step, outcome, body)
WHERE b.saga_id = ANY ($1::uuid[]) AND b.saga_id = c.saga AND b.step = c.step
  AND b.state = 'succeeded' AND b.entered_at = now()
