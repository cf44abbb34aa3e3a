-- Appends the history rows of a batch ($1, a JSON array).
INSERT INTO public.saga_history (
    saga_id, seq, at, kind, step, operation, attempt, outcome, disposition, from_status, to_status,
    sent, detail, problem, who, message_id)
SELECT h.saga_id, h.seq, h.at, h.kind, h.step, h.operation, h.attempt, h.outcome, h.disposition, h.from_status,
       h.to_status, h.sent, h.detail, h.problem, h.who, h.message_id
FROM jsonb_to_recordset($1::text::jsonb) AS h (
    saga_id uuid, seq bigint, at timestamptz, kind text, step text, operation text, attempt integer, outcome text,
    disposition text, from_status text, to_status text, sent text[], detail text, problem jsonb, who text, message_id text)
