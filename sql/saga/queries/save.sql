-- Writes the new states ($1, a JSON array) over the versions they were made from.
-- A row less than given means that somebody else was there: the caller rolls back.
-- What never changes is not written, so a large payload is not copied.
UPDATE public.saga AS s
SET status = n.status, current_step = n.current_step, operation = n.operation, attempt = n.attempt,
    step_status = n.step_status, outputs = n.outputs, failure = n.failure, park_reason = n.park_reason,
    version = n.version, wake_at = n.wake_at, updated_at = n.updated_at, ended_at = n.ended_at
FROM jsonb_to_recordset($1::text::jsonb) AS n (
    id uuid, over_version bigint, status text, current_step text, operation text, attempt integer, step_status jsonb,
    outputs jsonb, failure jsonb, park_reason text, version bigint, wake_at timestamptz, updated_at timestamptz,
    ended_at timestamptz)
WHERE s.id = n.id AND s.version = n.over_version
RETURNING s.id
