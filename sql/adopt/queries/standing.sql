-- What the schema holds where the view belongs: its kind ('' for nothing), its comment,
-- and the table under it (0 for none).
SELECT to_regnamespace(quote_ident($1)) IS NOT NULL,
       coalesce(c.relkind::text, ''),
       coalesce(obj_description(c.oid, 'pg_class'), ''),
       coalesce((SELECT d.refobjid FROM pg_depend AS d JOIN pg_rewrite AS r ON r.oid = d.objid
                 WHERE r.ev_class = c.oid AND d.classid = 'pg_rewrite'::regclass
                   AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> c.oid LIMIT 1), 0),
       to_regclass('public.outbox_position') IS NOT NULL
FROM (SELECT to_regclass('public.outbox') AS oid) AS r
LEFT JOIN pg_class AS c USING (oid)
