-- Reservations that wait for the end of a saga that has ended: its event is on its
-- way, or was published before the service had its queue. Few, the oldest first, after a saga:
-- so nothing is read twice that cannot be finished.
SELECT r.saga_id
FROM public.reservation AS r
JOIN public.saga AS s ON s.id = r.saga_id
WHERE r.status = 'PENDING' AND s.status IN ('COMPLETED', 'ABORTED', 'KILLED') AND r.saga_id > $1
ORDER BY r.saga_id
LIMIT 1000
OFFSET public.saga_hidden()
