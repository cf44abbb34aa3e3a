-- Stores a new saga ($1, JSON) and its first history row ($3, JSON) in one
-- statement, whose parameters are text so that every driver can send them. No row
-- comes back when the business key is taken, or when the definition with exactly
-- this content (hash $2) is not stored; started.sql tells which.
WITH given AS (
    SELECT g.*
    FROM jsonb_to_record($1::text::jsonb) AS g (
        id uuid, type text, definition_version integer, status text, current_step text, operation text,
        attempt integer, step_status jsonb, payload jsonb, outputs jsonb, business_key text, version bigint,
        wake_at timestamptz, started_at timestamptz, updated_at timestamptz)
    JOIN public.saga_definition d ON d.name = g.type AND d.version = g.definition_version
    WHERE d.hash = $2::text
), stored AS (
    INSERT INTO public.saga (
        id, type, definition_version, status, current_step, operation, attempt, step_status, payload, outputs,
        business_key, version, wake_at, started_at, updated_at)
    SELECT g.id, g.type, g.definition_version, g.status, g.current_step, g.operation, g.attempt, g.step_status,
           g.payload, g.outputs, g.business_key, g.version, g.wake_at, g.started_at, g.updated_at
    FROM given g
    ON CONFLICT ON CONSTRAINT saga_business_key_unique DO NOTHING
    RETURNING id
)
INSERT INTO public.saga_history (
    saga_id, seq, at, kind, disposition, to_status, sent_step, sent_operation, sent_attempt, detail)
SELECT stored.id, h.seq, h.at, h.kind, h.disposition, h.to_status, h.sent_step, h.sent_operation, h.sent_attempt, h.detail
FROM stored
CROSS JOIN jsonb_to_record($3::text::jsonb) AS h (
    seq bigint, at timestamptz, kind text, disposition text, to_status text,
    sent_step text, sent_operation text, sent_attempt integer, detail text)
RETURNING saga_id::text
