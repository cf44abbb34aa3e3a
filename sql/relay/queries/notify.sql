-- Says a text on a channel. As a function, because the command NOTIFY takes no
-- parameters.
SELECT pg_notify($1, $2);
