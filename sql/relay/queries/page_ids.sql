-- The ids of a page that cannot be read as a whole. Parameters as in page.sql.
SELECT i.id
FROM public.outbox_page_ids($1, $2::text::pg_snapshot, $3::text::pg_snapshot, $4, $5, $6, $7, $8) AS i (id)
