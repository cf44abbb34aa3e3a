-- One round of a walk over the sagas that are older than $1 microseconds, along the
-- primary key: ids of version 7 rise with time, so that none of the younger ones is
-- met, however many there are. It goes on above the id $2, meets at most $3 sagas, and
-- deletes those of them that ended so long ago; a trigger deletes their history. Those
-- that are old and have not ended, or only lately, are met and left, and so is what
-- somebody else has locked: another orchestrator's walk, or a reply that came late.
-- Arrays, because the planner takes them to be short and walks the key for each.
WITH bound AS (
    -- The lowest id of the time: its milliseconds, and zeros.
    SELECT b.at, (lpad(to_hex(greatest(floor(extract(epoch FROM b.at) * 1000)::bigint, 0)), 12, '0')
                  || repeat('0', 20))::uuid AS id
    FROM (SELECT now() - $1::bigint * interval '1 microsecond' AS at) AS b
), met AS (
    SELECT s.id, s.ended_at
    FROM public.saga s
    WHERE s.id > $2::uuid AND s.id < (SELECT bound.id FROM bound)
    ORDER BY s.id
    LIMIT $3::integer
), old AS (
    SELECT s.id
    FROM public.saga s
    WHERE s.id = ANY (ARRAY(SELECT m.id FROM met m WHERE m.ended_at < (SELECT bound.at FROM bound)))
    FOR UPDATE SKIP LOCKED
), gone AS (
    DELETE FROM public.saga s
    WHERE s.id = ANY (ARRAY(SELECT o.id FROM old o))
    RETURNING s.id
)
SELECT (SELECT count(*) FROM met) AS met,
       (SELECT m.id FROM met m ORDER BY m.id DESC LIMIT 1) AS last,
       (SELECT count(*) FROM gone) AS deleted
OFFSET public.saga_hidden()
