-- Money that moved: a ledger of charges and refunds. Rows are never changed or
-- removed; what a saga paid in the end is the sum of its rows.

CREATE TABLE public.ledger (
    id         uuid        NOT NULL DEFAULT gen_random_uuid(),
    saga_id    uuid        NOT NULL,
    kind       text        NOT NULL,
    amount     bigint      NOT NULL,
    card_token text        NOT NULL,
    card_last4 text        NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT ledger_pkey PRIMARY KEY (id),
    CONSTRAINT ledger_once_per_saga UNIQUE (saga_id, kind),
    CONSTRAINT ledger_kind_known CHECK (kind IN ('CHARGE', 'REFUND')),
    CONSTRAINT ledger_amount_not_negative CHECK (amount >= 0),
    -- The shape of a token and of four digits: a card number fits neither.
    CONSTRAINT ledger_card_is_token CHECK (card_token ~ '^tok_[0-9a-f-]{36}$'),
    CONSTRAINT ledger_card_last_four CHECK (card_last4 ~ '^[0-9]{4}$')
);

COMMENT ON TABLE  public.ledger IS 'Charges and refunds, append-only.';
COMMENT ON COLUMN public.ledger.id IS 'The chargeId that the saga keeps as output of the step payment, for a CHARGE.';
COMMENT ON COLUMN public.ledger.saga_id IS 'The saga that paid.';
COMMENT ON COLUMN public.ledger.kind IS 'CHARGE took the amount, REFUND gave it back. At most one of each for a saga.';
COMMENT ON COLUMN public.ledger.amount IS 'Minor units (cents), never negative: the kind is the sign.';
COMMENT ON COLUMN public.ledger.card_token IS 'Stand-in for the card. The card number is stored nowhere.';
COMMENT ON COLUMN public.ledger.card_last4 IS 'Last four digits of the card, for people.';
COMMENT ON COLUMN public.ledger.created_at IS 'When the money moved.';

CREATE FUNCTION public.ledger_is_append_only() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'the ledger is append-only: % is not allowed; insert a REFUND', TG_OP
        USING ERRCODE = 'restrict_violation';
END
$$;
COMMENT ON FUNCTION public.ledger_is_append_only() IS 'Refuses every change of the ledger but INSERT.';

CREATE TRIGGER ledger_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON public.ledger
    FOR EACH STATEMENT EXECUTE FUNCTION public.ledger_is_append_only();

CREATE VIEW public.ledger_net AS
SELECT saga_id,
       coalesce(sum(amount) FILTER (WHERE kind = 'CHARGE'), 0)::bigint AS charged,
       coalesce(sum(amount) FILTER (WHERE kind = 'REFUND'), 0)::bigint AS refunded,
       sum(CASE kind WHEN 'CHARGE' THEN amount ELSE -amount END)::bigint AS net,
       max(created_at) AS last_moved_at
FROM public.ledger
GROUP BY saga_id;

COMMENT ON VIEW public.ledger_net IS 'What each saga paid in the end, in minor units.';
COMMENT ON COLUMN public.ledger_net.saga_id IS 'The saga that paid.';
COMMENT ON COLUMN public.ledger_net.charged IS 'Sum of its charges.';
COMMENT ON COLUMN public.ledger_net.refunded IS 'Sum of its refunds.';
COMMENT ON COLUMN public.ledger_net.net IS 'Charges less refunds: 0 for a saga that was compensated.';
COMMENT ON COLUMN public.ledger_net.last_moved_at IS 'When money moved last.';
