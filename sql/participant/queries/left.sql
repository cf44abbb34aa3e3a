-- Whether answers have left the outbox, and whether a relay serves it.
-- $1 their aggregates, $2 the transaction that has written them; null asks for the relay alone.
SELECT l.shards, l.unserved, l.state FROM public.outbox_left($1::text[], $2::text::xid8) AS l
