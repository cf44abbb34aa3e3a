-- The transactional outbox: an insert-only log. A business transaction inserts
-- its events here; the relay reads the log by snapshot difference, publishes,
-- and keeps its place in outbox_position. No row is ever updated, so that a long
-- transaction somewhere in the cluster bloats nothing.

-- +goose Up

-- RabbitMQ's short strings end at 255 bytes, and a longer one closes the whole
-- connection. The log stops at a row that it cannot publish, so none may get in.
-- +goose StatementBegin
CREATE FUNCTION public.outbox_headers_fit(headers jsonb) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$
    SELECT CASE
        WHEN jsonb_typeof(headers) <> 'object' THEN false
        ELSE NOT EXISTS (
            SELECT FROM pg_catalog.jsonb_each(headers) AS h
            WHERE jsonb_typeof(h.value) <> 'string'
               OR octet_length(h.value #>> '{}') > 255
               OR octet_length(h.key) NOT BETWEEN 1 AND 255)
        END
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION public.outbox_headers_fit(jsonb) IS
    'True for an object of strings, names and values of at most 255 bytes: what an outbox row may carry as headers.';

CREATE TABLE public.outbox (
    id             bigint      GENERATED ALWAYS AS IDENTITY,
    xact           xid8        NOT NULL DEFAULT pg_current_xact_id(),
    event_id       uuid        NOT NULL DEFAULT gen_random_uuid(),
    aggregate_type text        NOT NULL,
    aggregate_id   text        NOT NULL,
    type           text        NOT NULL,
    exchange       text        NOT NULL,
    routing_key    text        NOT NULL,
    correlation_id text,
    reply_to       text,
    content_type   text        NOT NULL DEFAULT 'application/json',
    headers        jsonb       NOT NULL DEFAULT '{}',
    payload        jsonb       NOT NULL,
    created_at     timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT outbox_pkey PRIMARY KEY (id),
    CONSTRAINT outbox_aggregate_type_fits CHECK (octet_length(aggregate_type) BETWEEN 1 AND 255),
    CONSTRAINT outbox_aggregate_id_fits   CHECK (octet_length(aggregate_id) BETWEEN 1 AND 255),
    CONSTRAINT outbox_type_fits           CHECK (octet_length(type) BETWEEN 1 AND 255),
    CONSTRAINT outbox_exchange_fits       CHECK (octet_length(exchange) <= 255),
    CONSTRAINT outbox_routing_key_fits    CHECK (octet_length(routing_key) <= 255),
    -- On the default exchange the routing key is the queue's name.
    CONSTRAINT outbox_destination_named   CHECK (exchange <> '' OR routing_key <> ''),
    CONSTRAINT outbox_correlation_id_fits CHECK (octet_length(correlation_id) BETWEEN 1 AND 255),
    CONSTRAINT outbox_reply_to_fits       CHECK (octet_length(reply_to) BETWEEN 1 AND 255),
    CONSTRAINT outbox_content_type_fits   CHECK (octet_length(content_type) BETWEEN 1 AND 255),
    CONSTRAINT outbox_headers_fit         CHECK (headers = '{}' OR public.outbox_headers_fit(headers))
);

-- The rows of a window are found by transaction, and id is in the index so that
-- a window is measured without touching the table.
CREATE INDEX outbox_xact_idx ON public.outbox (xact) INCLUDE (id);

COMMENT ON TABLE public.outbox IS
    'Messages to publish, one row each, inserted in the same transaction as the change they tell of. Never updated. The relay publishes committed rows; outbox_overview shows which are published.';
COMMENT ON COLUMN public.outbox.id IS 'Order of insertion. Rows of one aggregate_id are published in this order. Gaps are rolled back transactions.';
COMMENT ON COLUMN public.outbox.xact IS 'The inserting transaction. The relay finds new rows by it. Never give it a value.';
COMMENT ON COLUMN public.outbox.event_id IS 'The event''s id: AMQP message_id and CloudEvents id, the same however often the row is published.';
COMMENT ON COLUMN public.outbox.aggregate_type IS 'Kind of thing the event is about, for example reservation.';
COMMENT ON COLUMN public.outbox.aggregate_id IS 'The thing the event is about: messages of one aggregate_id keep the order of their commits.';
COMMENT ON COLUMN public.outbox.type IS 'The event''s type: AMQP type and CloudEvents type.';
COMMENT ON COLUMN public.outbox.exchange IS 'RabbitMQ exchange; empty means the default exchange.';
COMMENT ON COLUMN public.outbox.routing_key IS 'RabbitMQ routing key; on the default exchange the name of a queue.';
COMMENT ON COLUMN public.outbox.correlation_id IS 'AMQP correlation_id, for example the saga''s id.';
COMMENT ON COLUMN public.outbox.reply_to IS 'AMQP reply_to: the queue that takes the reply.';
COMMENT ON COLUMN public.outbox.content_type IS 'Media type of the payload.';
COMMENT ON COLUMN public.outbox.headers IS 'Application headers: an object of strings, names and values of at most 255 bytes.';
COMMENT ON COLUMN public.outbox.payload IS 'The message''s body.';
COMMENT ON COLUMN public.outbox.created_at IS 'Start of the inserting transaction, by the database''s clock.';

-- Where the relay stands. Read "settled" as: every row that this snapshot sees is
-- published. The relay works on windows, the difference between settled and a
-- later snapshot, in id order; last_id says how far it is inside the window.
CREATE TABLE public.outbox_position (
    only_row          boolean     NOT NULL DEFAULT true,
    settled           pg_snapshot NOT NULL DEFAULT '1:1:',
    window_end        pg_snapshot,
    last_id           bigint,
    published_id      bigint,
    system_identifier bigint      NOT NULL,
    holder            text,
    epoch             bigint      NOT NULL DEFAULT 0,
    lease_until       timestamptz,
    last_error        text,
    updated_at        timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT outbox_position_pkey PRIMARY KEY (only_row),
    CONSTRAINT outbox_position_only_row CHECK (only_row),
    CONSTRAINT outbox_position_window_is_whole CHECK ((window_end IS NULL) = (last_id IS NULL)),
    CONSTRAINT outbox_position_last_id_counts CHECK (last_id >= 0),
    CONSTRAINT outbox_position_epoch_counts CHECK (epoch >= 0),
    CONSTRAINT outbox_position_holder_has_lease CHECK ((holder IS NULL) = (lease_until IS NULL)),
    CONSTRAINT outbox_position_holder_named CHECK (holder <> '')
) WITH (fillfactor = 10); -- room for the updates to stay on the page and out of the index

-- The empty past: everything ever inserted gets published.
INSERT INTO public.outbox_position (system_identifier)
SELECT c.system_identifier FROM pg_control_system() AS c;

COMMENT ON TABLE public.outbox_position IS
    'The relay''s place in the outbox and its lease: exactly one row. outbox_lag shows it for people.';
COMMENT ON COLUMN public.outbox_position.only_row IS 'Always true: keeps the table at one row.';
COMMENT ON COLUMN public.outbox_position.settled IS 'Every outbox row that this snapshot sees is published. The default sees nothing.';
COMMENT ON COLUMN public.outbox_position.window_end IS 'The later snapshot that closes the window in work; null when none is.';
COMMENT ON COLUMN public.outbox_position.last_id IS 'Rows of the window up to this id are published.';
COMMENT ON COLUMN public.outbox_position.published_id IS 'The row that was published last, for people; the relay does not read it.';
COMMENT ON COLUMN public.outbox_position.system_identifier IS 'The cluster whose transaction numbers settled and outbox.xact speak of. A restored dump brings the old one along and is noticed by it.';
COMMENT ON COLUMN public.outbox_position.holder IS 'The relay that publishes; null when none does.';
COMMENT ON COLUMN public.outbox_position.epoch IS 'Counts the holders. A relay writes only under its own epoch, so a late one cannot move the position.';
COMMENT ON COLUMN public.outbox_position.lease_until IS 'When another relay may take over, by the database''s clock.';
COMMENT ON COLUMN public.outbox_position.last_error IS 'Why the relay does not get on; null while it does.';
COMMENT ON COLUMN public.outbox_position.updated_at IS 'When the position or the lease was last written.';

-- Transaction numbers mean nothing in another cluster. This makes the log whole
-- again after a dump was restored there: an insert-only table is rewritten this
-- once, because the numbers stand in its rows.
-- +goose StatementBegin
CREATE FUNCTION public.outbox_rebase(from_id bigint) RETURNS bigint
    LANGUAGE plpgsql AS
$$
DECLARE
    me      xid8 := pg_current_xact_id();
    now_    pg_snapshot;
    running xid8[];
    again   bigint;
BEGIN
    -- No writer in between: a row is either rewritten here or inserted after.
    LOCK TABLE public.outbox IN SHARE ROW EXCLUSIVE MODE;
    -- The snapshot before this transaction: others that still run are in it as
    -- running, because they may insert later under a number that is lower than
    -- this one's. A transaction's own snapshot leaves itself out, so it is added.
    now_ := pg_current_snapshot();
    running := ARRAY(SELECT x FROM (SELECT pg_snapshot_xip(now_) UNION SELECT me WHERE me < pg_snapshot_xmax(now_)) AS r(x) ORDER BY x);
    INSERT INTO public.outbox_position AS p (settled, system_identifier)
    SELECT format('%s:%s:%s', LEAST(pg_snapshot_xmin(now_), me), pg_snapshot_xmax(now_), array_to_string(running, ','))::pg_snapshot,
           c.system_identifier
    FROM pg_control_system() AS c
    ON CONFLICT (only_row) DO UPDATE
       SET settled = excluded.settled, window_end = NULL, last_id = NULL,
           system_identifier = excluded.system_identifier,
           epoch = p.epoch + 1, holder = NULL, lease_until = NULL, last_error = NULL,
           updated_at = clock_timestamp();
    -- 3 is the first transaction of any cluster: older than every snapshot.
    UPDATE public.outbox SET xact = '3' WHERE id < from_id;
    UPDATE public.outbox SET xact = me WHERE id >= from_id;
    GET DIAGNOSTICS again = ROW_COUNT;
    RETURN again;
END
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION public.outbox_rebase(bigint) IS
    'After this database was restored into another cluster: count rows below from_id as published and publish the others (again). outbox_rebase(1) publishes everything. Returns the number of rows to publish.';

CREATE VIEW public.outbox_overview AS
SELECT o.id,
       date_trunc('second', o.created_at) AS created_at,
       CASE WHEN p.published THEN 'published' ELSE 'pending' END AS state,
       CASE WHEN NOT p.published THEN date_trunc('second', clock_timestamp() - o.created_at) END AS waiting,
       o.type,
       o.aggregate_type || ' ' || o.aggregate_id AS about,
       CASE WHEN o.exchange = '' THEN 'queue ' || o.routing_key
            ELSE o.exchange || ' ' || o.routing_key END AS destination,
       o.event_id
FROM public.outbox AS o
CROSS JOIN LATERAL (
    SELECT pg_visible_in_snapshot(o.xact, s.settled)
        OR (s.window_end IS NOT NULL AND o.id <= s.last_id
            AND pg_visible_in_snapshot(o.xact, s.window_end)) AS published
    FROM public.outbox_position AS s
) AS p
ORDER BY o.id;

COMMENT ON VIEW public.outbox_overview IS
    'Every message of the outbox in order: has it been published, and if not, for how long has it waited.';
COMMENT ON COLUMN public.outbox_overview.id IS 'Order of insertion.';
COMMENT ON COLUMN public.outbox_overview.created_at IS 'Start of the inserting transaction, to the second.';
COMMENT ON COLUMN public.outbox_overview.state IS 'published: the broker has confirmed it. pending: not yet, or confirmed within the last moments.';
COMMENT ON COLUMN public.outbox_overview.waiting IS 'Age of a pending message.';
COMMENT ON COLUMN public.outbox_overview.type IS 'The event''s type.';
COMMENT ON COLUMN public.outbox_overview.about IS 'Aggregate type and id: the thing the event is about.';
COMMENT ON COLUMN public.outbox_overview.destination IS 'Exchange and routing key, or the queue.';
COMMENT ON COLUMN public.outbox_overview.event_id IS 'AMQP message_id of the message.';

CREATE VIEW public.outbox_lag AS
SELECT w.pending,
       date_trunc('second', clock_timestamp() - w.oldest) AS oldest_age,
       p.published_id,
       CASE WHEN p.lease_until > clock_timestamp() THEN p.holder END AS holder,
       date_trunc('second', p.lease_until - clock_timestamp()) AS lease_left,
       p.last_error
FROM public.outbox_position AS p
-- The two branches are disjoint and use the index on xact, so that
-- the view stays cheap when millions of published rows are kept.
CROSS JOIN LATERAL (
    SELECT count(*) AS pending, min(r.created_at) AS oldest
    FROM (
        SELECT o.id, o.xact, o.created_at FROM public.outbox AS o
        WHERE o.xact >= pg_snapshot_xmax(p.settled)
        UNION ALL
        SELECT o.id, o.xact, o.created_at FROM public.outbox AS o
        WHERE o.xact = ANY (ARRAY(SELECT pg_snapshot_xip(p.settled)))
    ) AS r
    WHERE p.window_end IS NULL OR r.id > p.last_id
       OR NOT pg_visible_in_snapshot(r.xact, p.window_end)
) AS w;

COMMENT ON VIEW public.outbox_lag IS 'One row: how far behind the relay is, who holds the lease, and why it stands still if it does.';
COMMENT ON COLUMN public.outbox_lag.pending IS 'Committed messages that wait to be published.';
COMMENT ON COLUMN public.outbox_lag.oldest_age IS 'Age of the oldest of them.';
COMMENT ON COLUMN public.outbox_lag.published_id IS 'outbox.id of the message published last.';
COMMENT ON COLUMN public.outbox_lag.holder IS 'The relay that publishes; null when none does.';
COMMENT ON COLUMN public.outbox_lag.lease_left IS 'How long the holder''s lease still runs; negative when it ran out.';
COMMENT ON COLUMN public.outbox_lag.last_error IS 'Why the relay does not get on; null while it does.';
