-- Keeps, for all commands of a batch in one round trip, what entering did not know and
-- settle.sql does not say: what failed and is to be asked again, and what was entered for
-- a saga that turned out to be forgotten.
-- $1 to $5 saga, step, operation, outcome and body of the answer of each command.
SELECT public.saga_barrier_leave(c.saga, c.step, c.op, c.outcome, c.body::jsonb)
  FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[]) AS c (saga, step, op, outcome, body)
