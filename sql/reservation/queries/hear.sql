-- Keeps a fact of another service, in whatever order they come, and moves the reservation
-- when that decides it: a no at once, a yes when both have said so. Only PENDING moves. FOR
-- NO KEY UPDATE first, so that what was is seen as it is when the row is free.
-- $1 saga, $2 the fact, $3 why not, null for a yes.
WITH was AS MATERIALIZED (
    SELECT r.id, r.status FROM public.reservation AS r WHERE r.saga_id = $1 FOR NO KEY UPDATE
)
UPDATE public.reservation AS r
SET heard = CASE WHEN $2::text = ANY (r.heard) THEN r.heard ELSE r.heard || $2 END,
    status = CASE WHEN r.status <> 'PENDING' THEN r.status
                  WHEN $3::text IS NOT NULL THEN 'FAILED'
                  WHEN r.heard || $2 @> ARRAY['room.booked', 'payment.captured'] THEN 'SUCCEED'
                  ELSE 'PENDING' END,
    failure_reason = CASE WHEN r.status = 'PENDING' THEN $3 ELSE r.failure_reason END,
    updated_at = now()
FROM was
WHERE r.id = was.id
RETURNING r.id, was.status = 'PENDING' AND r.status = 'SUCCEED' AS confirmed
