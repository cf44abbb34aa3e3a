-- A transaction states what it needs: a role or database may have other defaults.
BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE
