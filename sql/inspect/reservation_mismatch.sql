-- Reservations that disagree with their saga. Database of the reservation service.
-- For a moment after a saga's end its event is still on the way; what stays here
-- longer than that is a defect or a listener that is down.
SELECT r.id AS reservation, r.status AS reservation_status, r.failure_reason,
       s.id AS saga, s.status AS saga_status, s.ended_at
FROM public.reservation r
LEFT JOIN public.saga s ON s.id = r.saga_id
WHERE r.status IS DISTINCT FROM CASE s.status WHEN 'COMPLETED' THEN 'SUCCEED' WHEN 'ABORTED' THEN 'FAILED' WHEN 'KILLED' THEN 'FAILED'
                                              WHEN 'STARTED' THEN 'PENDING' WHEN 'ABORTING' THEN 'PENDING' WHEN 'PARKED' THEN 'PENDING' END
   OR s.business_key IS DISTINCT FROM r.id::text
ORDER BY s.ended_at;
