-- Writes the new states ($1, a JSON array) over the versions they were made from.
-- A row less than given means that somebody else was there: the caller rolls back. $2 are
-- the ids once more: by an array the planner walks the key for each, whatever it thinks
-- of the table; joined to the rows alone it may read all of it.
-- What never changes is not written, so a large payload is not copied.
--
-- look_at is left alone unless it would be late or its time has come: what moves it
-- writes to every index. It is set halfway to wake_at, since the next step may have
-- less time; when its own time comes it is likely that nothing moves before wake_at.
UPDATE public.saga AS s
SET definition_version = n.definition_version, status = n.status, paused = n.paused, current_step = n.current_step, step_status = n.step_status,
    waiting = n.waiting, outputs = n.outputs, signals = n.signals, failure = n.failure,
    park_reason = n.park_reason, version = n.version, deadline = n.deadline, wake_at = n.wake_at,
    look_at = CASE WHEN n.ended_at IS NOT NULL THEN NULL
                   WHEN n.wake_at < s.look_at
                       THEN least(n.wake_at, n.updated_at + (n.wake_at - n.updated_at) / 2)
                   WHEN s.look_at <= n.updated_at THEN coalesce(n.wake_at, 'infinity')
                   ELSE s.look_at END,
    updated_at = n.updated_at, ended_at = n.ended_at,
    sent_xact = CASE WHEN n.sends THEN pg_current_xact_id() ELSE s.sent_xact END
FROM jsonb_to_recordset($1::text::jsonb) AS n (
    id uuid, over_version bigint, definition_version integer, status text, paused boolean, current_step text,
    step_status jsonb, waiting jsonb, outputs jsonb, signals jsonb, failure jsonb, park_reason text, version bigint,
    deadline timestamptz, wake_at timestamptz, updated_at timestamptz, ended_at timestamptz, sends boolean)
WHERE s.id = ANY ($2::uuid[]) AND s.id = n.id AND s.version = n.over_version
RETURNING s.id
