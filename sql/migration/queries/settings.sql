-- What a migration's texts mean must not depend on who runs it, and names without a schema
-- must not be found. Until the transaction ends: behind a pooler the session is another's
-- afterwards.
-- $1 lock_timeout
SELECT set_config('search_path', '', true), set_config('lock_timeout', $1, true), set_config('standard_conforming_strings', 'on', true),
       set_config('transform_null_equals', 'off', true), set_config('check_function_bodies', 'on', true),
       set_config('datestyle', 'ISO, YMD', true), set_config('intervalstyle', 'postgres', true), set_config('timezone', 'UTC', true),
       set_config('default_tablespace', '', true), set_config('row_security', 'off', true);
