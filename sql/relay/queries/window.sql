-- Opens a window, or what is left of one, and measures it; zeros: nothing is left.
-- $1 present, $2 settled, $3 the window's end ('' takes the current snapshot), $4 last id.
SELECT window_end::text, COALESCE(first_id, 0), COALESCE(last_id, 0), COALESCE(sparse, false)
FROM public.outbox_window($1, $2::text::pg_snapshot, NULLIF($3::text, '')::pg_snapshot, $4)
