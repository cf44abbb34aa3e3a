-- Says that a relay is alive.
-- $1 holder, $2 seconds until it counts as gone.
INSERT INTO public.outbox_member (holder, seen_until, lifetime)
VALUES ($1, clock_timestamp() + make_interval(secs => $2), make_interval(secs => $2))
ON CONFLICT (holder) DO UPDATE SET seen_until = excluded.seen_until, lifetime = excluded.lifetime
