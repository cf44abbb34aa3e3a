-- Enters with the commands of a batch, all of them REQUESTs, as enter.sql does. Nearly
-- always none of their steps is known, and one INSERT says so, which costs about half
-- of as many calls of the function. Those that it does not insert have a row by now,
-- and the function answers them; MATERIALIZED keeps it from being asked about others.
-- The order of saga and step is that of enter.sql: batches of both cannot lock each
-- other out.
-- $1, $2 saga and step of each command; no step of a saga twice.
WITH c AS MATERIALIZED (
    SELECT c.saga, c.step, c.place
    FROM unnest($1::uuid[], $2::text[]) WITH ORDINALITY AS c (saga, step, place)
), entered AS (
    INSERT INTO public.saga_barrier (saga_id, step, state)
    SELECT c.saga, c.step, 'succeeded'
    FROM c
    ORDER BY c.saga, c.step COLLATE "C"
    ON CONFLICT DO NOTHING
    RETURNING saga_id, step
), met AS MATERIALIZED (
    SELECT c.saga, c.step, c.place
    FROM c
    WHERE NOT EXISTS (SELECT FROM entered e WHERE e.saga_id = c.saga AND e.step = c.step)
    ORDER BY c.saga, c.step COLLATE "C"
)
SELECT coalesce(known.run, true), coalesce(known.answer, ''), known.body
FROM c
LEFT JOIN (
    SELECT met.place, e.run, e.answer, e.body
    FROM met
    CROSS JOIN LATERAL public.saga_barrier_enter(met.saga, met.step, 'REQUEST') AS e
) AS known ON known.place = c.place
ORDER BY c.place
