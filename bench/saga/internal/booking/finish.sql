-- The saga's end. Only PENDING moves, so the event may come any number of times.
-- Found and moved are told apart: an event for a saga that is not here is
-- somebody else's, an event for a finished reservation a duplicate.
WITH found AS (
    SELECT id FROM public.reservation WHERE saga_id = $1
), moved AS (
    UPDATE public.reservation
    SET status = $2, failure_reason = $3, updated_at = now()
    WHERE saga_id = $1 AND status = 'PENDING'
    RETURNING id
)
SELECT EXISTS (SELECT FROM found) AS found, EXISTS (SELECT FROM moved) AS moved
