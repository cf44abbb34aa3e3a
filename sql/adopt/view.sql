-- The table, seen as the log of this schema. The columns and their types are always
-- these, so that another mapping can replace the view while a relay reads it. id and
-- xact are plain columns of the table, so that its indexes serve and outbox_rebase can
-- update xact; it asks inserted_by which rows were written here. Nothing here may fail on a row or be null where the relay wants a
-- value: one such row would stop the log. A row that makes no message is parked by
-- the relay instead. An aggregate_id of any length has to fit into the index of
-- outbox_parked.
CREATE OR REPLACE VIEW public.outbox AS
SELECT :id AS id,
       t.outbox_xact AS xact,
       :event_id AS event_id,
       :aggregate_type AS aggregate_type,
       left(:aggregate_id, 600) AS aggregate_id,
       :type AS type,
       :exchange AS exchange,
       :routing_key AS routing_key,
       :correlation_id AS correlation_id,
       :reply_to AS reply_to,
       :content_type AS content_type,
       CASE WHEN jsonb_typeof(:headers) = 'object'
            THEN (SELECT coalesce(json_object_agg(h.key, h.value), '{}')
                  FROM jsonb_each_text(:headers) AS h WHERE h.value IS NOT NULL)
            ELSE '{}' END AS headers,
       :payload AS payload,
       coalesce(:payload_bytes, CASE WHEN :payload IS NULL THEN bytea '' END) AS payload_bytes,
       CASE WHEN :deliver_at = 'infinity' THEN timestamptz '9999-12-31 00:00:00+00'
            ELSE :deliver_at END AS deliver_at,
       CASE WHEN isfinite(:created_at) THEN :created_at ELSE now() END AS created_at,
       t.xmin AS inserted_by
FROM :table AS t;
COMMENT ON VIEW public.outbox IS :comment;
