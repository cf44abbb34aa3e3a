-- A transaction states what it needs: a role or database may have another default. What
-- was made read-only stays so, and says so: a provider does that where a disk is full.
BEGIN ISOLATION LEVEL READ COMMITTED
