-- What the current role lacks of the rights that a program needs: each as the statement
-- that gives it, for the owner of the tables or a superuser to run. Only catalogues are
-- read, which every role may. What does not exist lacks nothing: the statement that
-- needs it says so. Row security counts as a lack, whatever its policies say: a program
-- that takes the rows that it sees for all there are must see all.
-- $1 the schema, $2 tables, views and functions in it, $3 the privileges on each.
WITH needed AS (
    SELECT n.place, n.name, string_to_array(n.privileges, ', ') AS privileges, s.oid AS schema
    FROM unnest($2::text[], $3::text[]) WITH ORDINALITY AS n (name, privileges, place)
    JOIN pg_catalog.pg_namespace AS s ON s.nspname = $1::text
), relation AS (
    SELECT n.place, n.privileges, c.oid, c.relowner, format('%I.%I', $1, c.relname) AS name
    FROM needed AS n
    JOIN pg_catalog.pg_class AS c ON c.relnamespace = n.schema AND c.relname = n.name AND c.relkind IN ('r', 'p', 'v')
), lack (place, cure) AS (
    SELECT 0, format('GRANT USAGE ON SCHEMA %I TO %I', $1, current_user)
    FROM pg_catalog.pg_namespace AS s
    WHERE s.nspname = $1 AND NOT has_schema_privilege(s.oid, 'USAGE')
    UNION ALL
    SELECT min(r.place), format('GRANT %s ON %s TO %I', string_agg(DISTINCT p.privilege, ', '), r.name, current_user)
    FROM relation AS r
    CROSS JOIN LATERAL unnest(r.privileges) AS p (privilege)
    WHERE NOT has_table_privilege(r.oid, p.privilege)
    GROUP BY r.name
    UNION ALL
    SELECT DISTINCT ON (f.oid) n.place, format('GRANT EXECUTE ON FUNCTION %I.%I(%s) TO %I', $1, f.proname,
                           pg_catalog.pg_get_function_identity_arguments(f.oid), current_user)
    FROM needed AS n
    JOIN pg_catalog.pg_proc AS f ON f.pronamespace = n.schema AND f.proname = n.name
    WHERE NOT has_function_privilege(f.oid, 'EXECUTE')
    UNION ALL
    -- Its owner is subject to row security only where that was said with FORCE.
    SELECT max(r.place), CASE WHEN pg_has_role(r.relowner, 'USAGE') THEN format('ALTER TABLE %s NO FORCE ROW LEVEL SECURITY', r.name)
                              ELSE format('ALTER ROLE %I BYPASSRLS', current_user) END
    FROM relation AS r
    WHERE row_security_active(r.oid)
    GROUP BY 2
)
SELECT l.cure FROM lack AS l ORDER BY l.place, l.cure
