-- The number of the server process that answers. A pooler between a client and its
-- server tells the client another one, and may let another process answer each time.
SELECT pg_backend_pid();
