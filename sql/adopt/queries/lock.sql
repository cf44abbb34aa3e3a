-- One adoption at a time in this database, until the end of the transaction.
SELECT pg_advisory_xact_lock(hashtextextended('saga_adopt', 0))
