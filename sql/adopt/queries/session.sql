-- For one transaction: names without a schema are not found, a lock is waited for only
-- briefly, and a statement that has its lock may take the time it needs.
-- $1 lock_timeout.
SELECT set_config('search_path', '', true),
       set_config('lock_timeout', $1, true),
       set_config('statement_timeout', '0', true)
