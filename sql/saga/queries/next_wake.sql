-- Microseconds until the next saga is to be looked at, by the database's clock; NULL
-- if none is. No timer is due before. One probe of the index saga_look: LIMIT says so,
-- where a minimum leaves it to the planner.
SELECT (SELECT (extract(epoch FROM s.look_at - clock_timestamp()) * 1000000)::bigint
        FROM public.saga s
        WHERE s.look_at < 'infinity' AND s.id <> ALL ($1::uuid[])
        ORDER BY s.look_at
        LIMIT 1)
OFFSET public.saga_hidden()
