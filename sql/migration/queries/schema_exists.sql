-- Whether a schema exists. Asked before CREATE SCHEMA IF NOT EXISTS, which needs
-- the right to create schemas even where there is nothing to create.
SELECT to_regnamespace(quote_ident($1)) IS NOT NULL;
