-- The transaction that the answers are written in, to ask later whether they have left.
SELECT pg_current_xact_id()::text
