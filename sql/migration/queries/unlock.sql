-- Lets the next session migrate the schema $1.
SELECT pg_advisory_unlock(hashtextextended('saga_migration.' || $1, 0));
