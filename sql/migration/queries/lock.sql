-- Lets one session at a time migrate this database: extensions belong to all of its
-- schemas. It blocks, at most lock_timeout, where polling would waste time. The lock
-- ends with the session: a killed daemon leaves nothing behind.
SELECT pg_advisory_lock(hashtextextended('saga_migration', 0));
