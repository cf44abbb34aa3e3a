-- Rows that row security would hide are an error (42501) and not an empty set.
SELECT set_config('row_security', 'off', true)
