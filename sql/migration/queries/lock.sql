-- Lets one transaction at a time migrate this database: extensions belong to all of its
-- schemas. It blocks where polling would waste time.
SELECT pg_advisory_xact_lock(hashtextextended('saga_migration', 0));
