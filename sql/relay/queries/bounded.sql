-- The first statement of each transaction. What row security hides is an error and not an
-- empty set, also where somebody makes a policy later. And a process that is frozen must
-- not keep the position locked. Local, because behind a pooler the session belongs to others
-- afterwards.
SELECT set_config('row_security', 'off', true), set_config('idle_in_transaction_session_timeout', '5s', true)
