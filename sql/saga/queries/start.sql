-- Stores a new saga ($1, JSON), its first history row ($3, JSON) and its first messages
-- ($4 to $16, the arrays of outbox/append.sql) in one statement, whose parameters are
-- text so that every driver can send them. No row comes back, and nothing is written,
-- when the business key is taken, or when the definition with exactly this content
-- (hash $2) is not stored; started.sql tells which. A saga may have ended already: none
-- of its steps was needed, or a condition failed. For look_at see save.sql, for the
-- announcement on the channel $17 see outbox/append.sql.
WITH given AS (
    SELECT g.*
    FROM jsonb_to_record($1::text::jsonb) AS g (
        id uuid, type text, definition_version integer, status text, current_step text, step_status jsonb,
        waiting jsonb, payload jsonb, outputs jsonb, failure jsonb, business_key text, version bigint,
        deadline timestamptz, wake_at timestamptz, started_at timestamptz, updated_at timestamptz,
        ended_at timestamptz)
    JOIN public.saga_definition d ON d.name = g.type AND d.version = g.definition_version
    WHERE d.hash = $2::text
), stored AS (
    INSERT INTO public.saga (
        id, type, definition_version, status, current_step, step_status, waiting, payload, outputs, failure,
        business_key, version, deadline, wake_at, look_at, started_at, updated_at, ended_at)
    SELECT g.id, g.type, g.definition_version, g.status, g.current_step, g.step_status, g.waiting, g.payload,
           g.outputs, g.failure, g.business_key, g.version, g.deadline, g.wake_at,
           CASE WHEN g.ended_at IS NULL THEN g.started_at + (g.wake_at - g.started_at) / 2 END,
           g.started_at, g.updated_at, g.ended_at
    FROM given g
    ON CONFLICT ON CONSTRAINT saga_business_key_unique DO NOTHING
    RETURNING id
), told AS (
    INSERT INTO public.saga_history (saga_id, seq, at, kind, disposition, to_status, sent, detail)
    SELECT stored.id, h.seq, h.at, h.kind, h.disposition, h.to_status, h.sent, h.detail
    FROM stored
    CROSS JOIN jsonb_to_record($3::text::jsonb) AS h (
        seq bigint, at timestamptz, kind text, disposition text, to_status text, sent text[], detail text)
), appended AS (
    INSERT INTO public.outbox
           (event_id, aggregate_type, aggregate_id, type, exchange, routing_key,
            correlation_id, reply_to, content_type, headers, payload, payload_bytes, deliver_at)
    SELECT coalesce(nullif(m.event_id, '')::uuid, gen_random_uuid()),
           m.aggregate_type, m.aggregate_id, m.type, m.exchange, m.routing_key,
           nullif(m.correlation_id, ''), nullif(m.reply_to, ''), m.content_type, m.headers::json,
           nullif(m.payload, '')::jsonb, nullif(m.payload_bytes, '')::bytea, nullif(m.deliver_at, '')::timestamptz
      FROM stored
     CROSS JOIN unnest($4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
                       $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::text[],
                       $16::text[])
           WITH ORDINALITY
           AS m (event_id, aggregate_type, aggregate_id, type, exchange, routing_key,
                 correlation_id, reply_to, content_type, headers, payload, payload_bytes, deliver_at, place)
     ORDER BY m.place
)
SELECT stored.id::text,
       CASE WHEN $17::text <> '' AND pg_notification_queue_usage() < 0.5 THEN pg_notify($17::text, '')::text END
FROM stored
