-- Enters with all commands of a batch in one round trip, where not all are REQUESTs
-- (those: request.sql), through the function that
-- participants in other languages use too: one place decides. Every batch locks its
-- steps in the same order, so that two of them cannot lock each other out; ORDER BY
-- makes that a promise and not luck. The answers come in the order of the commands.
-- $1, $2, $3 saga, step and operation of each command; no step of a saga twice.
SELECT e.run, coalesce(e.answer, ''), e.body
  FROM (SELECT c.saga, c.step, c.op, c.place
          FROM unnest($1::uuid[], $2::text[], $3::text[]) WITH ORDINALITY AS c (saga, step, op, place)
         ORDER BY c.saga, c.step COLLATE "C") AS c
 CROSS JOIN LATERAL public.saga_barrier_enter(c.saga, c.step, c.op) AS e
 ORDER BY c.place
