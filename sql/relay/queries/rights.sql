-- What the current role lacks, each with the statement that heals it, which somebody who
-- may has to run. It reads the catalogues alone, so it never fails for a want of rights.
-- Row security counts as a lack: rows that a role does not see would be taken for none.
-- A view is followed to its tables, which are read with its owner's rights. The partitions
-- are read through the outbox, but for a large window, which is measured in them.
WITH RECURSIVE me AS (
    SELECT r.oid, r.rolname AS name, r.rolsuper AS super FROM pg_catalog.pg_roles AS r WHERE r.rolname = current_user
), home AS (
    SELECT n.oid, n.nspname AS name FROM pg_catalog.pg_namespace AS n WHERE n.nspname = (parse_ident('public.outbox'))[1]
), needs (task, relation, privileges) AS (
    VALUES ('publish', 'outbox', '{SELECT}'::text[]),
           ('publish', 'outbox_position', '{SELECT,UPDATE}'),
           ('publish', 'outbox_parked', '{SELECT,INSERT,UPDATE,DELETE}'),
           ('publish', 'outbox_member', '{SELECT,INSERT,UPDATE,DELETE}'),
           ('reshard', 'outbox_position', '{INSERT,DELETE}'),
           ('upkeep', 'outbox_partitions', '{SELECT}'),
           ('upkeep', 'outbox_parked', '{SELECT,DELETE}'),
           ('upkeep', 'outbox_position', '{SELECT}')
), calls (task, function) AS (
    SELECT 'publish', f FROM unnest('{outbox_shard,outbox_database,outbox_position_is_foreign,outbox_in_service,outbox_is_foreign,
           outbox_rebase,outbox_service,outbox_timeline,outbox_present,outbox_expect,outbox_news,outbox_window,outbox_window_bounds,
           outbox_page,outbox_page_ids,outbox_page_sparse,outbox_parked_promote}'::text[]) AS f
    UNION ALL
    SELECT 'upkeep', f FROM unnest('{outbox_partitions_ahead,outbox_partitions_claim,outbox_partitions_missing,outbox_partition_add,
           outbox_partition_drop,outbox_partition_expired,outbox_partition_settled,outbox_default_trim,outbox_last_id,
           outbox_sequence_mend,outbox_position_is_foreign,outbox_is_foreign,outbox_headers_fit,outbox_keeps_number}'::text[]) AS f
    UNION ALL -- whoever attaches a partition makes the table's triggers on it
    SELECT 'upkeep', p.proname FROM home AS h
      JOIN pg_catalog.pg_class AS o ON o.relnamespace = h.oid AND o.relname = 'outbox' AND o.relkind = 'p'
      JOIN pg_catalog.pg_trigger AS t ON t.tgrelid = o.oid AND NOT t.tgisinternal
      JOIN pg_catalog.pg_proc AS p ON p.oid = t.tgfoid AND p.pronamespace = h.oid
    UNION ALL
    VALUES ('reshard', 'outbox_reshard')
), parts AS (
    SELECT c.oid, c.relname, c.relowner, c.relkind FROM home AS h
    JOIN pg_catalog.pg_class AS o ON o.relnamespace = h.oid AND o.relname = 'outbox' AND o.relkind = 'p'
    JOIN pg_catalog.pg_inherits AS i ON i.inhparent = o.oid
    JOIN pg_catalog.pg_class AS c ON c.oid = i.inhrelid
), relations (task, oid, privileges) AS (
    SELECT w.task, c.oid, w.privileges FROM needs AS w CROSS JOIN home AS h
    JOIN pg_catalog.pg_class AS c ON c.relnamespace = h.oid AND c.relname = w.relation
    WHERE w.task <> 'upkeep' OR EXISTS (SELECT FROM parts) -- an adopted table is looked after by its owner
    UNION ALL
    SELECT 'publish', p.oid, '{SELECT}' FROM parts AS p
), reached (task, oid, as_role, privileges) AS (
    SELECT r.task, r.oid, me.oid, r.privileges FROM relations AS r CROSS JOIN me
    UNION
    SELECT r.task, d.refobjid, CASE WHEN v.reloptions @> '{security_invoker=true}' THEN r.as_role ELSE v.relowner END, r.privileges
      FROM reached AS r
      JOIN pg_catalog.pg_class AS v ON v.oid = r.oid AND v.relkind = 'v'
      JOIN pg_catalog.pg_rewrite AS w ON w.ev_class = v.oid
      JOIN pg_catalog.pg_depend AS d ON d.classid = 'pg_catalog.pg_rewrite'::regclass AND d.objid = w.oid
                                    AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid <> v.oid
), lacking AS (
    SELECT r.task, n.nspname AS schema, c.relname AS relation, u.rolname AS role, c.relrowsecurity AND NOT u.rolsuper AND NOT u.rolbypassrls
               AND (c.relforcerowsecurity OR NOT pg_has_role(u.oid, c.relowner, 'USAGE')) AS hidden,
           (SELECT string_agg(p, ', ' ORDER BY o) FROM unnest(r.privileges) WITH ORDINALITY AS x (p, o)
             WHERE NOT has_table_privilege(u.oid, c.oid, p)) AS privileges
      FROM reached AS r
      JOIN pg_catalog.pg_class AS c ON c.oid = r.oid
      JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
      JOIN pg_catalog.pg_roles AS u ON u.oid = r.as_role
), upkeep AS (
    SELECT c.oid, c.relowner, w.rolname AS owner, w.rolsuper AS owned_by_super FROM home AS h
    JOIN pg_catalog.pg_class AS c ON c.relnamespace = h.oid AND c.relname = 'outbox' AND c.relkind = 'p'
    JOIN pg_catalog.pg_roles AS w ON w.oid = c.relowner
)
SELECT 'publish' AS task, format('GRANT USAGE ON SCHEMA %I TO %I', h.name, me.name) AS statement
  FROM home AS h CROSS JOIN me WHERE NOT has_schema_privilege(h.oid, 'USAGE')
UNION
SELECT l.task, format('GRANT %s ON %I.%I TO %I', l.privileges, l.schema, l.relation, l.role)
  FROM lacking AS l WHERE l.privileges IS NOT NULL
UNION
SELECT l.task, format('ALTER ROLE %I BYPASSRLS', l.role) || format(' /* row security hides rows of %I.%I */', l.schema, l.relation)
  FROM lacking AS l WHERE l.hidden
UNION
SELECT c.task, format('GRANT EXECUTE ON FUNCTION %I.%I(%s) TO %I', h.name, p.proname, pg_get_function_identity_arguments(p.oid), me.name)
  FROM calls AS c CROSS JOIN home AS h CROSS JOIN me
  JOIN pg_catalog.pg_proc AS p ON p.pronamespace = h.oid AND p.proname = c.function
 WHERE NOT has_function_privilege(p.oid, 'EXECUTE')
UNION
-- Partitions are the owner's alone to make and drop. Nobody is to be made a superuser.
SELECT 'upkeep', CASE WHEN NOT pg_has_role(u.relowner, 'MEMBER') THEN format('GRANT %I TO %I', u.owner, me.name)
                      WHEN current_setting('server_version_num')::integer >= 160000 THEN format('GRANT %I TO %I WITH INHERIT TRUE', u.owner, me.name)
                      ELSE format('ALTER ROLE %I INHERIT', me.name) END
  FROM upkeep AS u CROSS JOIN me WHERE NOT u.owned_by_super AND NOT pg_has_role(u.relowner, 'USAGE')
UNION
SELECT 'upkeep', format('ALTER TABLE %I.%I OWNER TO %I', h.name, c.relname, me.name)
  FROM upkeep AS u CROSS JOIN home AS h CROSS JOIN me
  JOIN (SELECT p.oid, p.relname, p.relowner FROM parts AS p
        UNION ALL SELECT o.oid, o.relname, o.relowner FROM upkeep AS u JOIN pg_catalog.pg_class AS o ON o.oid = u.oid) AS c
    ON NOT pg_has_role(c.relowner, 'USAGE')
 WHERE u.owned_by_super
UNION
SELECT 'upkeep', format('GRANT CREATE ON SCHEMA %I TO %I', h.name, r.rolname)
  FROM upkeep AS u CROSS JOIN home AS h CROSS JOIN me
  JOIN pg_catalog.pg_roles AS r ON r.oid IN (me.oid, CASE WHEN u.owned_by_super THEN me.oid ELSE u.relowner END)
 WHERE NOT has_schema_privilege(r.oid, h.oid, 'CREATE')
ORDER BY 1, 2
