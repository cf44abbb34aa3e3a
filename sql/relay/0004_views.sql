-- For people: what has become of each message, and how far behind each shard is. Nothing
-- in a row may make a view fail: an interval cannot be taken from an infinite time, and an
-- adopted table may hold nulls. In a log that is not in service, the position says nothing
-- of the rows that are there: all are pending, but those that an adoption has left out.

CREATE VIEW public.outbox_overview AS
SELECT o.id,
       date_trunc('second', o.created_at) AS created_at,
       s.state,
       CASE WHEN s.state NOT IN ('published', 'discarded') AND isfinite(o.created_at)
            THEN date_trunc('second', clock_timestamp() - o.created_at) END AS waiting,
       o.type,
       o.aggregate_type || ' ' || o.aggregate_id AS about,
       CASE WHEN o.exchange = '' THEN 'queue ' || o.routing_key
            ELSE o.exchange || ' ' || o.routing_key END AS destination,
       s.reason,
       o.event_id
FROM public.outbox AS o
LEFT JOIN public.outbox_parked AS k ON k.id = o.id AND (k.event_id IS NULL OR k.event_id = o.event_id)
LEFT JOIN public.outbox_position AS p
       ON p.shard = public.outbox_shard(o.aggregate_id, (SELECT count(*)::integer FROM public.outbox_position))
CROSS JOIN LATERAL (
    SELECT CASE WHEN o.xact > '0' AND NOT (SELECT public.outbox_in_service())
                  OR NOT coalesce(pg_visible_in_snapshot(o.xact, p.settled)
                     OR (p.window_end IS NOT NULL AND o.id <= p.last_id
                         AND pg_visible_in_snapshot(o.xact, p.window_end)), false) THEN 'pending'
                ELSE coalesce(k.state, 'published') END AS state,
           CASE k.state WHEN 'waiting' THEN 'behind an earlier one of its aggregate'
                        WHEN 'scheduled' THEN 'due at ' || date_trunc('second', k.next_at)
                        WHEN 'discarded' THEN k.note
                        ELSE k.error END AS reason
) AS s
ORDER BY o.id;

COMMENT ON VIEW public.outbox_overview IS
    'Every message of the outbox in order: has it been published, and if not, for how long has it waited and why.';
COMMENT ON COLUMN public.outbox_overview.id IS 'Order of insertion.';
COMMENT ON COLUMN public.outbox_overview.created_at IS 'Start of the inserting transaction, to the second.';
COMMENT ON COLUMN public.outbox_overview.state IS 'published: the broker has confirmed it. pending: not yet, or confirmed within the last moments. Others are those of outbox_parked: retry, http, http_dead, waiting, dead, scheduled, discarded.';
COMMENT ON COLUMN public.outbox_overview.waiting IS 'Age of a message that is not published.';
COMMENT ON COLUMN public.outbox_overview.type IS 'The event''s type.';
COMMENT ON COLUMN public.outbox_overview.about IS 'Aggregate type and id: the thing the event is about.';
COMMENT ON COLUMN public.outbox_overview.destination IS 'Exchange and routing key, or the queue.';
COMMENT ON COLUMN public.outbox_overview.reason IS 'Why a parked message is parked.';
COMMENT ON COLUMN public.outbox_overview.event_id IS 'AMQP message_id of the message.';

CREATE VIEW public.outbox_lag AS
SELECT p.shard,
       w.pending,
       date_trunc('second', clock_timestamp() - w.oldest) AS oldest_age,
       p.published_id,
       CASE WHEN l.ahead BETWEEN '0' AND p.lease_for THEN p.holder END AS holder,
       date_trunc('second', l.ahead) AS lease_left,
       p.last_error,
       CASE WHEN p.lease_until = 'infinity' OR l.ahead > p.lease_for THEN p.holder END AS void_holder,
       p.timeline,
       date_trunc('second', p.timeline_changed_at) AS timeline_changed_at
FROM public.outbox_position AS p
CROSS JOIN (SELECT count(*)::integer AS shards FROM public.outbox_position) AS n
CROSS JOIN LATERAL (
    SELECT CASE WHEN isfinite(p.lease_until) THEN p.lease_until - clock_timestamp() END AS ahead
) AS l
-- The two branches are disjoint and use the index on xact, so that
-- the view stays cheap when millions of published rows are kept.
CROSS JOIN LATERAL (
    SELECT count(*) AS pending, min(r.created_at) FILTER (WHERE isfinite(r.created_at)) AS oldest
    FROM (
        SELECT o.id, o.xact, o.created_at, o.aggregate_id FROM public.outbox AS o
        WHERE o.xact >= pg_snapshot_xmax(p.settled)
        UNION ALL
        SELECT o.id, o.xact, o.created_at, o.aggregate_id FROM public.outbox AS o
        WHERE o.xact = ANY (ARRAY(SELECT pg_snapshot_xip(p.settled)))
    ) AS r
    WHERE public.outbox_shard(r.aggregate_id, n.shards) = p.shard
      AND (p.window_end IS NULL OR r.id > p.last_id
           OR NOT pg_visible_in_snapshot(r.xact, p.window_end))
) AS w
ORDER BY p.shard;

COMMENT ON VIEW public.outbox_lag IS 'One row a shard: how far behind the relay is, who holds the lease or left a void one, and why it stands still if it does.';
COMMENT ON COLUMN public.outbox_lag.shard IS 'Shard of the outbox, from 0.';
COMMENT ON COLUMN public.outbox_lag.pending IS 'Committed messages that wait to be published; not those in outbox_parked.';
COMMENT ON COLUMN public.outbox_lag.oldest_age IS 'Age of the oldest of them.';
COMMENT ON COLUMN public.outbox_lag.published_id IS 'outbox.id of the message published last.';
COMMENT ON COLUMN public.outbox_lag.holder IS 'The relay that publishes; null when none does.';
COMMENT ON COLUMN public.outbox_lag.lease_left IS 'How long the holder''s lease still runs; negative when it ran out, null when it has no end.';
COMMENT ON COLUMN public.outbox_lag.last_error IS 'Why the relay does not get on; null while it does.';
COMMENT ON COLUMN public.outbox_lag.void_holder IS 'The relay whose lease ends later than its own length from now. The database''s clock was set back since; a relay takes the shard over once that lease has stood unchanged for its own length.';
COMMENT ON COLUMN public.outbox_lag.timeline IS 'Timeline of the server''s log when the lease was last taken; null before, and where the relay may not ask for it.';
COMMENT ON COLUMN public.outbox_lag.timeline_changed_at IS 'When that was last seen to have changed: a standby was promoted, or an older state was restored, and commits may have been lost.';
