-- Stores a new saga ($1, JSON), its first history row ($3, JSON) and its first messages
-- ($4 to $16, the arrays of outbox/append.sql) in one statement, whose parameters are
-- text so that every driver can send them. Times are given as seconds from the start,
-- which is now by the database's clock; the clock and not now(), because the caller's
-- transaction may be old, and a deadline counts from the decision.
--
-- No row comes back, and nothing is written, when the business key is taken, or when the
-- definition with exactly this content (hash $2) is not stored; started.sql tells which.
-- Where nobody waits for the row ($18), that is an error instead. A saga may have ended
-- already: none of its steps was needed, or a condition failed. For look_at see
-- save.sql, for the announcement on the channel $17 see outbox/append.sql.
WITH clock AS MATERIALIZED (
    SELECT clock_timestamp() AS now
), given AS (
    SELECT g.*, c.now,
           c.now + make_interval(secs => g.deadline_in) AS deadline,
           c.now + make_interval(secs => g.wake_in) AS wake_at
    FROM clock AS c
    CROSS JOIN jsonb_to_record($1::text::jsonb) AS g (
        id uuid, type text, definition_version integer, status text, current_step text, step_status jsonb,
        waiting jsonb, payload jsonb, outputs jsonb, failure jsonb, business_key text, version bigint,
        deadline_in float8, wake_in float8, ended boolean)
    JOIN public.saga_definition d ON d.name = g.type AND d.version = g.definition_version
    WHERE d.hash = $2::text
), stored AS (
    INSERT INTO public.saga (
        id, type, definition_version, status, current_step, step_status, waiting, payload, outputs, failure,
        business_key, version, deadline, wake_at, look_at, started_at, updated_at, ended_at)
    SELECT g.id, g.type, g.definition_version, g.status, g.current_step, g.step_status,
           (SELECT coalesce(jsonb_object_agg(w.key, CASE WHEN w.value ? 'wake_in'
                       THEN (w.value -> 'waiting') || jsonb_build_object('wake_at', g.now + make_interval(secs => (w.value -> 'wake_in')::float8))
                       ELSE w.value -> 'waiting' END), '{}')
              FROM jsonb_each(g.waiting) AS w),
           g.payload, g.outputs, g.failure, g.business_key, g.version, g.deadline, g.wake_at,
           CASE WHEN NOT g.ended THEN g.now + make_interval(secs => g.wake_in / 2) END,
           g.now, g.now, CASE WHEN g.ended THEN g.now END
    FROM given g
    ON CONFLICT ON CONSTRAINT saga_business_key_unique DO NOTHING
    RETURNING id, started_at
), told AS (
    INSERT INTO public.saga_history (saga_id, seq, at, kind, disposition, to_status, sent, detail)
    SELECT stored.id, h.seq, stored.started_at, h.kind, h.disposition, h.to_status, h.sent, h.detail
    FROM stored
    CROSS JOIN jsonb_to_record($3::text::jsonb) AS h (
        seq bigint, kind text, disposition text, to_status text, sent text[], detail text)
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
UNION ALL
SELECT public.saga_refuse_start($1::text::jsonb ->> 'type', ($1::text::jsonb -> 'definition_version')::integer, $2::text), NULL
WHERE $18::boolean AND NOT EXISTS (SELECT FROM stored)
