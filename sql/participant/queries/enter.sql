-- Enters with all commands of a batch in one round trip. Nearly always the step of a
-- REQUEST is not known yet, and one INSERT says so for all of them, which costs about
-- half of as many calls of the function that participants in other languages use. The
-- function answers the rest: what found a row, and every CONFIRM. MATERIALIZED keeps it
-- from being asked about others, and twice about one. The answers come in the order of the commands.
--
-- A CANCEL before its REQUEST is inserted along with them, so that batches cannot lock
-- each other out. The INSERT waits for rows that others have just inserted or updated,
-- in the order of saga and step. What is updated afterwards, in the same order, waits
-- for others' updates alone: a row that is not committed is not seen by then.
-- A saga that may be forgotten is left to the function. One that is forgotten while this
-- statement runs was inserted as if it were new: that is found out afterwards, by a newer
-- snapshot, and is an error 40001, which repeats the batch.
-- $1, $2, $3 saga, step and operation of each command; no step of a saga twice.
WITH c AS MATERIALIZED (
    SELECT c.saga, c.step, c.op, c.place,
           c.saga <= (SELECT w.forgotten_to FROM public.saga_barrier_watermark AS w) AND get_byte(uuid_send(c.saga), 6) >> 4 = 7 AS old
    FROM unnest($1::uuid[], $2::text[], $3::text[]) WITH ORDINALITY AS c (saga, step, op, place)
), entered AS (
    INSERT INTO public.saga_barrier (saga_id, step, state, reply)
    SELECT c.saga, c.step,
           CASE c.op WHEN 'REQUEST' THEN 'succeeded' ELSE 'cancelled' END,
           CASE c.op WHEN 'REQUEST' THEN '{}'::jsonb
                ELSE '{"type": "urn:problem:saga:cancelled", "title": "The request was cancelled before it arrived"}' END
    FROM c
    WHERE c.op IN ('REQUEST', 'CANCEL') AND c.old IS NOT TRUE
    ORDER BY c.saga, c.step COLLATE "C"
    ON CONFLICT DO NOTHING
    RETURNING saga_id, step
), checked AS MATERIALIZED (
    SELECT public.saga_barrier_still((SELECT e.saga_id FROM entered e
                                       WHERE get_byte(uuid_send(e.saga_id), 6) >> 4 = 7 ORDER BY e.saga_id LIMIT 1)) AS still
), met AS MATERIALIZED (
    SELECT c.saga, c.step, c.op, c.place
    FROM c
    WHERE NOT EXISTS (SELECT FROM entered e WHERE e.saga_id = c.saga AND e.step = c.step)
    ORDER BY c.saga, c.step COLLATE "C"
), known AS MATERIALIZED (
    SELECT met.place, e.run, e.answer, e.body
    FROM met
    CROSS JOIN LATERAL public.saga_barrier_enter(met.saga, met.step, met.op) AS e
)
SELECT coalesce(known.run, c.op = 'REQUEST') AS run,
       CASE WHEN known.run IS NULL AND c.op = 'CANCEL' THEN 'compensated' ELSE coalesce(known.answer, '') END AS answer,
       coalesce(known.body, '{}') AS body
FROM c
LEFT JOIN known ON known.place = c.place
CROSS JOIN checked
WHERE checked.still
ORDER BY c.place
OFFSET public.saga_barrier_hidden()
