-- Opens a window, or what is left of one, and measures it; zeros: nothing is left.
-- $1 settled, $2 the window's end ('' takes the current snapshot), $3 last id.
SELECT window_end::text, COALESCE(first_id, 0), COALESCE(last_id, 0), COALESCE(sparse, false)
FROM public.outbox_window($1::text::pg_snapshot, NULLIF($2::text, '')::pg_snapshot, $3)
