-- The plans that sagas follow. A running saga keeps its version until an operator moves it to another,
-- so a version that changed under it would change its past: the table refuses.

-- Row security leaves out rows without a word, and a saga that is left out looks like one
-- that does not exist. So every statement of ours that reads sagas ends in OFFSET
-- saga_hidden(): an OFFSET is known before the first row is looked for, and also where a
-- policy lets the planner leave out the table, with every condition on it. What is read
-- is locked against new policies until the transaction ends, so that statements which
-- write what was read before need not ask again. Functions have SET row_security = off
-- instead, for the same. Nobody's session has to be set up, and what else is done in the
-- caller's transaction is not concerned: other tables may well have row security.
CREATE FUNCTION public.saga_hidden() RETURNS bigint LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF pg_catalog.row_security_active('public.saga'::regclass)
    OR pg_catalog.row_security_active('public.saga_history'::regclass)
    OR pg_catalog.row_security_active('public.saga_definition'::regclass) THEN
        RAISE EXCEPTION 'row security hides sagas from the role %', current_user
            USING ERRCODE = 'insufficient_privilege',
                  HINT = pg_catalog.format('ALTER ROLE %I BYPASSRLS, or disable row security on the tables saga, saga_history and saga_definition.', current_user);
    END IF;
    RETURN 0;
END
$$;
COMMENT ON FUNCTION public.saga_hidden() IS
    '0 where no row security hides sagas, their history or definitions from the current role; else error 42501.';

CREATE TABLE public.saga_definition (
    name       text        NOT NULL,
    version    integer     NOT NULL,
    spec       jsonb       NOT NULL,
    hash       text        NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT saga_definition_pkey PRIMARY KEY (name, version),
    CONSTRAINT saga_definition_name_given CHECK (name <> ''),
    CONSTRAINT saga_definition_version_positive CHECK (version > 0),
    CONSTRAINT saga_definition_spec_has_steps
        CHECK (jsonb_typeof(spec -> 'steps') IS NOT DISTINCT FROM 'array' AND jsonb_array_length(spec -> 'steps') > 0),
    CONSTRAINT saga_definition_hash_is_sha256 CHECK (hash ~ '^[0-9a-f]{64}$')
);

COMMENT ON TABLE public.saga_definition IS 'The plans of sagas, one row per version. A version never changes once it is stored.';
COMMENT ON COLUMN public.saga_definition.name IS 'Type of the sagas that follow this plan.';
COMMENT ON COLUMN public.saga_definition.version IS 'Rises with each change of the plan, from 1.';
COMMENT ON COLUMN public.saga_definition.spec IS 'The plan: {"mode", "deadline", "steps": [{"name", "kind", "type", "group", "when", "destination", "request", "confirm", "cancel", "send", "keep", "wait", "on_timeout"}, …]}; what does not apply is left out, durations as in 1m30s.';
COMMENT ON COLUMN public.saga_definition.hash IS 'SHA-256 of the plan as it was written, to tell another plan under the same version.';
COMMENT ON COLUMN public.saga_definition.created_at IS 'When this version was stored.';

CREATE FUNCTION public.saga_definition_refuse_change() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'saga definition % version % is stored and stays as it is', OLD.name, OLD.version
        USING ERRCODE = 'restrict_violation', CONSTRAINT = 'saga_definition_immutable',
              HINT = 'Store the changed plan under the next version.';
END
$$;

COMMENT ON FUNCTION public.saga_definition_refuse_change() IS 'Refuses every UPDATE and DELETE of a stored definition: sagas follow it, or have.';

CREATE TRIGGER saga_definition_immutable BEFORE UPDATE OR DELETE ON public.saga_definition
    FOR EACH ROW EXECUTE FUNCTION public.saga_definition_refuse_change();

CREATE FUNCTION public.saga_definition_refuse_truncate() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'saga definitions are stored and stay: sagas follow them'
        USING ERRCODE = 'restrict_violation', CONSTRAINT = 'saga_definition_immutable';
END
$$;
COMMENT ON FUNCTION public.saga_definition_refuse_truncate() IS 'Refuses to empty the table of definitions.';

CREATE TRIGGER saga_definition_not_emptied BEFORE TRUNCATE ON public.saga_definition
    FOR EACH STATEMENT EXECUTE FUNCTION public.saga_definition_refuse_truncate();
