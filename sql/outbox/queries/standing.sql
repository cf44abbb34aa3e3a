-- Why acquire.sql got no row: the same conditions, told apart.
SELECT COALESCE(p.holder, ''),
       p.system_identifier = c.system_identifier AS same_cluster,
       pg_snapshot_xmax(COALESCE(p.window_end, p.settled)) > pg_snapshot_xmax(pg_current_snapshot()) AS from_future
FROM public.outbox_position AS p, pg_control_system() AS c
