-- Lets the next session migrate this database.
SELECT pg_advisory_unlock(hashtextextended('saga_migration', 0));
