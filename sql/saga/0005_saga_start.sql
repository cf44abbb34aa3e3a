-- Starting a saga where nobody looks at what the statement returns: in a batch of
-- statements that is one transaction.

-- +goose Up

-- +goose StatementBegin
CREATE FUNCTION public.saga_refuse_start(type text, definition_version integer, hash text) RETURNS text
    LANGUAGE plpgsql AS
$$
#variable_conflict use_variable
DECLARE
    kept text := (SELECT d.hash FROM public.saga_definition AS d WHERE d.name = type AND d.version = definition_version);
BEGIN
    IF kept IS DISTINCT FROM hash THEN
        RAISE EXCEPTION 'definition % version % is not stored, or is another one', type, definition_version
            USING ERRCODE = 'foreign_key_violation', CONSTRAINT = 'saga_definition_stored',
                  HINT = 'Store it with `orchestrator definition apply`.';
    END IF;
    RAISE EXCEPTION 'a saga % was started under the same business key before', type
        USING ERRCODE = 'unique_violation', CONSTRAINT = 'saga_business_key_unique',
              HINT = 'It is the saga that was asked for.';
END
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION public.saga_refuse_start(text, integer, text) IS
    'Fails, and says why a saga was not stored.';
