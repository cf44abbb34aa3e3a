-- Moves the look at at most $1 sagas whose timer is not due yet, or that have none
-- while they are parked or paused, to when it will be. They have moved on since the
-- time to look at them was set. No history: nothing happened to them. What is locked
-- is being moved on just now.
WITH early AS (
    SELECT s.id
    FROM public.saga s
    WHERE s.look_at <= now() AND (s.wake_at > now() OR s.wake_at IS NULL)
    ORDER BY s.look_at
    LIMIT $1::integer
    FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE public.saga AS s
SET look_at = coalesce(s.wake_at, 'infinity')
FROM early
WHERE s.id = early.id
