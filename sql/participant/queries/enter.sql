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
-- A saga that is forgotten was inserted as if it were new. That is found out afterwards, by a
-- newer snapshot; the row is taken back before the transaction ends, see leave.sql.
-- $1, $2, $3 saga, step and operation of each command; no step of a saga twice.
WITH c AS MATERIALIZED (
    SELECT c.saga, c.step, c.op, c.place
    FROM unnest($1::uuid[], $2::text[], $3::text[]) WITH ORDINALITY AS c (saga, step, op, place)
), entered AS (
    INSERT INTO public.saga_barrier (saga_id, step, state, reply)
    SELECT c.saga, c.step,
           CASE c.op WHEN 'REQUEST' THEN 'succeeded' ELSE 'cancelled' END,
           CASE c.op WHEN 'REQUEST' THEN '{}'::jsonb
                ELSE '{"type": "urn:problem:saga:cancelled", "title": "The request was cancelled before it arrived"}' END
    FROM c
    WHERE c.op IN ('REQUEST', 'CANCEL')
    ORDER BY c.saga, c.step COLLATE "C"
    ON CONFLICT DO NOTHING
    RETURNING saga_id, step
), reached AS MATERIALIZED (
    SELECT public.saga_barrier_reached(count(*)) AS watermark FROM entered
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
SELECT coalesce(known.run, c.op = 'REQUEST' AND NOT l.lost) AS run,
       CASE WHEN known.run IS NOT NULL THEN coalesce(known.answer, '')
            WHEN c.op = 'REQUEST' THEN CASE WHEN l.lost THEN 'retry' ELSE '' END
            ELSE CASE WHEN l.lost THEN 'failed' ELSE 'compensated' END END AS answer,
       CASE WHEN l.lost THEN '{"type": "urn:problem:saga:forgotten", "title": "The saga is so old that it is forgotten here, nothing was done"}'
            ELSE coalesce(known.body, '{}') END AS body,
       l.lost
FROM c
CROSS JOIN reached
LEFT JOIN known ON known.place = c.place
CROSS JOIN LATERAL (SELECT known.run IS NULL AND c.saga <= reached.watermark AND get_byte(uuid_send(c.saga), 6) >> 4 = 7 AS lost) AS l
ORDER BY c.place
OFFSET public.saga_barrier_hidden()
