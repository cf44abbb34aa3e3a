-- The first statement of a transaction that has several: a process that is frozen in
-- it must not keep the position locked. Local, because behind a pooler the session
-- belongs to others afterwards.
SET LOCAL idle_in_transaction_session_timeout = '5s'
