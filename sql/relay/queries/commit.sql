-- Ends what begin.sql began.
COMMIT
