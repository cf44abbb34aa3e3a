-- A schema of the relay's own, beside the tables of the application.
CREATE SCHEMA :schema;
