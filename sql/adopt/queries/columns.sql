-- The columns of a table: what can be made of each, and how it is filled. A sequence
-- is orderly when its numbers rise in the order in which they are drawn: a session
-- that takes several at once would spoil that.
-- $1 table, $2 the column that is the order of insertion.
SELECT a.attname::text,
       format_type(a.atttypid, a.atttypmod),
       CASE WHEN b.typname IN ('uuid', 'jsonb', 'json', 'bytea', 'timestamptz', 'int8', 'xid8') THEN b.typname::text
            ELSE CASE b.typcategory WHEN 'S' THEN 'text' WHEN 'N' THEN 'number' WHEN 'E' THEN 'enum' ELSE '' END END,
       a.attnotnull,
       coalesce(pg_get_expr(d.adbin, d.adrelid), ''),
       coalesce(s.orderly, false),
       EXISTS (SELECT FROM pg_index AS i
               WHERE i.indrelid = a.attrelid AND i.indisunique AND i.indisvalid AND i.indpred IS NULL
                 AND i.indnkeyatts = 1 AND i.indkey[0] = a.attnum),
       EXISTS (SELECT FROM pg_index AS i JOIN pg_class AS x ON x.oid = i.indexrelid JOIN pg_am AS m ON m.oid = x.relam
               JOIN pg_attribute AS k ON k.attrelid = a.attrelid AND k.attname = $2
               WHERE i.indrelid = a.attrelid AND m.amname = 'btree' AND i.indisvalid AND i.indpred IS NULL
                 AND i.indkey[0] = a.attnum AND k.attnum = ANY (i.indkey))
FROM pg_attribute AS a
JOIN pg_type AS t ON t.oid = a.atttypid
JOIN pg_type AS b ON b.oid = coalesce(nullif(t.typbasetype, 0), t.oid)
LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
LEFT JOIN LATERAL (
    SELECT q.seqincrement = 1 AND q.seqcache = 1 AND NOT q.seqcycle AS orderly
    FROM pg_sequence AS q JOIN pg_depend AS p
      ON a.attidentity <> '' AND p.classid = 'pg_class'::regclass AND p.objid = q.seqrelid AND p.deptype = 'i'
         AND p.refclassid = 'pg_class'::regclass AND p.refobjid = a.attrelid AND p.refobjsubid = a.attnum
      OR p.classid = 'pg_attrdef'::regclass AND p.objid = d.oid
         AND p.refclassid = 'pg_class'::regclass AND p.refobjid = q.seqrelid
         AND pg_get_expr(d.adbin, d.adrelid) ~ '^nextval\([^)]*\)$'
    LIMIT 1) AS s ON true
WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped
