-- Who outside is told when a saga ends, and what came of telling. The messages themselves
-- are in the outbox like all others, written in the transaction in which the saga ends; the
-- relay calls, and sets aside what is not taken, see outbox_parked.

CREATE TABLE public.saga_webhook (
    name           text        NOT NULL,
    url            text        NOT NULL,
    key            text        NOT NULL,
    former_key     text,
    former_until   timestamptz,
    created_at     timestamptz NOT NULL DEFAULT now(),
    disabled_at    timestamptz,
    disabled_why   text,
    CONSTRAINT saga_webhook_pkey PRIMARY KEY (name),
    CONSTRAINT saga_webhook_name_fits CHECK (name ~ '^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$'),
    CONSTRAINT saga_webhook_url_is_http CHECK (url ~ '^https?://[!-~]+$' AND url !~ '@|#' AND octet_length(url) <= 2000),
    -- 24 to 64 bytes, as Standard Webhooks 1.0 asks for.
    CONSTRAINT saga_webhook_key_fits CHECK (key ~ '^whsec_[A-Za-z0-9+/]{32,86}={0,2}$'),
    CONSTRAINT saga_webhook_former_key_fits CHECK (former_key ~ '^whsec_[A-Za-z0-9+/]{32,86}={0,2}$'),
    CONSTRAINT saga_webhook_former_key_ends CHECK ((former_key IS NULL) = (former_until IS NULL)),
    CONSTRAINT saga_webhook_disabled_with_reason CHECK ((disabled_at IS NULL) = (disabled_why IS NULL))
);
COMMENT ON TABLE public.saga_webhook IS 'Who outside is told when a saga ends: see `orchestrator webhook`. It holds keys: let only the relay and operators read it.';
COMMENT ON COLUMN public.saga_webhook.name IS 'What definitions and starts call it.';
COMMENT ON COLUMN public.saga_webhook.url IS 'Where it is called by POST.';
COMMENT ON COLUMN public.saga_webhook.key IS 'Signs what it is told: whsec_ and a key in base64 (Standard Webhooks 1.0).';
COMMENT ON COLUMN public.saga_webhook.former_key IS 'Signs too until former_until, so that the receiver can change over.';
COMMENT ON COLUMN public.saga_webhook.former_until IS 'When the former key ends.';
COMMENT ON COLUMN public.saga_webhook.created_at IS 'When it was added.';
COMMENT ON COLUMN public.saga_webhook.disabled_at IS 'Since when it is not called; null while it is.';
COMMENT ON COLUMN public.saga_webhook.disabled_why IS 'Why: the receiver answered 410 Gone, or an operator''s words.';

-- One row a call. Each call takes ten rows of more than 30 days along, so that the table keeps
-- its size without a task of its own.
CREATE TABLE public.saga_webhook_call (
    id        bigint      GENERATED ALWAYS AS IDENTITY,
    webhook   text        NOT NULL,
    event_id  uuid        NOT NULL,
    type      text        NOT NULL,
    attempt   integer     NOT NULL,
    at        timestamptz NOT NULL DEFAULT clock_timestamp(),
    took_ms   integer     NOT NULL,
    status    integer,
    error     text,
    delivered boolean     NOT NULL,
    CONSTRAINT saga_webhook_call_pkey PRIMARY KEY (id),
    CONSTRAINT saga_webhook_call_counts CHECK (attempt >= 1 AND took_ms >= 0),
    CONSTRAINT saga_webhook_call_failed_with_reason CHECK (delivered OR error IS NOT NULL)
);
CREATE INDEX saga_webhook_call_webhook_idx ON public.saga_webhook_call (webhook, id DESC);
CREATE INDEX saga_webhook_call_at_idx ON public.saga_webhook_call (at);
COMMENT ON TABLE public.saga_webhook_call IS 'What came of each call of a webhook, for 30 days: see `orchestrator webhook log`.';
COMMENT ON COLUMN public.saga_webhook_call.id IS 'Order of writing.';
COMMENT ON COLUMN public.saga_webhook_call.webhook IS 'Its name.';
COMMENT ON COLUMN public.saga_webhook_call.event_id IS 'outbox.event_id of what it was told, and the header webhook-id.';
COMMENT ON COLUMN public.saga_webhook_call.type IS 'The event''s type.';
COMMENT ON COLUMN public.saga_webhook_call.attempt IS 'Which call of this message it was, from 1.';
COMMENT ON COLUMN public.saga_webhook_call.at IS 'When it ended.';
COMMENT ON COLUMN public.saga_webhook_call.took_ms IS 'How long it took.';
COMMENT ON COLUMN public.saga_webhook_call.status IS 'The response''s status; null where there was none.';
COMMENT ON COLUMN public.saga_webhook_call.error IS 'Why it counts as failed; null where it does not.';
COMMENT ON COLUMN public.saga_webhook_call.delivered IS 'The receiver has taken it (2xx).';
