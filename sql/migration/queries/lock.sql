-- Lets one session at a time migrate a schema ($1) of this database. It blocks,
-- at most lock_timeout, where polling would waste time. The lock ends with
-- the session: a killed daemon leaves nothing behind.
SELECT pg_advisory_lock(hashtextextended('saga_migration.' || $1, 0));
