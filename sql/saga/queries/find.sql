-- Ids of the sagas that match, the newest first (ids of version 7 rise with time). The
-- statement is planned anew each time, for what is asked: what runs ($1) by the index
-- saga_look, so that finished millions are not read; a business key by its index; all
-- others along the primary key from its end. The order of what runs is that of the ids
-- too, but as texts: else the planner, which takes what runs to be spread evenly over
-- the ids, would walk the primary key until it has enough.
-- $2 type and $3 business key: empty leaves them open. $4 below this id, $5 statuses,
-- $6 step with something under way or parked, $7 and $8 started at or before, at or
-- after, $9 class of the failure, $10 reason of being parked; null or empty leaves it
-- open. $11 needs somebody (as the view saga_stuck has it), $12 overdue, $13 parked,
-- $14 paused. $15 rows.
SELECT s.id
FROM public.saga s
WHERE (NOT $1::boolean OR s.look_at IS NOT NULL)
  AND ($2::text = '' OR s.type = $2)
  AND ($3::text = '' OR s.business_key = $3)
  AND ($4::uuid IS NULL OR s.id < $4)
  AND ($5::text[] IS NULL OR s.status = ANY ($5))
  AND ($6::text = '' OR s.waiting ? $6)
  AND ($7::timestamptz IS NULL OR s.started_at <= $7)
  AND ($8::timestamptz IS NULL OR s.started_at >= $8)
  AND ($9::text = '' OR s.failure ->> 'class' = $9)
  AND ($10::text = '' OR s.park_reason = $10)
  AND (NOT $11::boolean OR s.status = 'PARKED' OR jsonb_path_exists(s.waiting, '$.*.held') OR s.wake_at < now() - interval '5 seconds')
  AND (NOT $12::boolean OR s.wake_at < now() - interval '5 seconds')
  AND (NOT $13::boolean OR s.status = 'PARKED')
  AND (NOT $14::boolean OR s.paused)
ORDER BY CASE WHEN $1 THEN s.id::text COLLATE "C" END DESC, s.id DESC
LIMIT $15::integer
OFFSET public.saga_hidden()
