-- What the guest asked for and what became of it. The row is written in the
-- same transaction as its saga and the first command, and learns the saga's end
-- from an event, as any other service would.

CREATE TABLE public.reservation (
    id                  uuid        NOT NULL,
    hotel_id            bigint      NOT NULL,
    room_id             bigint      NOT NULL,
    guest_id            text        NOT NULL,
    start_date          date        NOT NULL,
    end_date            date        NOT NULL,
    payment_due         bigint      NOT NULL,
    card_token          text        NOT NULL,
    card_last4          text        NOT NULL,
    status              text        NOT NULL DEFAULT 'PENDING',
    failure_reason      text,
    saga_id             uuid,
    idempotency_key     text,
    request_fingerprint bytea,
    created_at          timestamptz NOT NULL DEFAULT now(),
    updated_at          timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT reservation_pkey PRIMARY KEY (id),
    CONSTRAINT reservation_saga_once UNIQUE (saga_id),
    CONSTRAINT reservation_idempotency_key_once UNIQUE (idempotency_key),
    CONSTRAINT reservation_ids_positive CHECK (hotel_id > 0 AND room_id > 0),
    CONSTRAINT reservation_guest_length CHECK (length(guest_id) BETWEEN 1 AND 64),
    CONSTRAINT reservation_ends_after_start CHECK (end_date > start_date),
    CONSTRAINT reservation_payment_not_negative CHECK (payment_due >= 0),
    -- The shape of a token and of four digits: a card number fits neither.
    CONSTRAINT reservation_card_is_token CHECK (card_token ~ '^tok_[0-9a-f-]{36}$'),
    CONSTRAINT reservation_card_last_four CHECK (card_last4 ~ '^[0-9]{4}$'),
    CONSTRAINT reservation_status_known CHECK (status IN ('PENDING', 'SUCCEED', 'FAILED')),
    CONSTRAINT reservation_reason_iff_failed CHECK ((status = 'FAILED') = (failure_reason IS NOT NULL)),
    CONSTRAINT reservation_fingerprint_iff_key CHECK ((idempotency_key IS NULL) = (request_fingerprint IS NULL))
);

COMMENT ON TABLE  public.reservation IS 'A guest''s request for a room and what became of it.';
COMMENT ON COLUMN public.reservation.id IS 'UUIDv7; also the business key of the saga.';
COMMENT ON COLUMN public.reservation.hotel_id IS 'The hotel, as the hotel service numbers it.';
COMMENT ON COLUMN public.reservation.room_id IS 'The room within the hotel.';
COMMENT ON COLUMN public.reservation.guest_id IS 'Who stays: the caller''s own id for the guest.';
COMMENT ON COLUMN public.reservation.start_date IS 'First night.';
COMMENT ON COLUMN public.reservation.end_date IS 'Day of departure, not a night: another stay may start on it.';
COMMENT ON COLUMN public.reservation.payment_due IS 'Amount to charge, in minor units (cents).';
COMMENT ON COLUMN public.reservation.card_token IS 'Random stand-in for the card, drawn at the edge. The card number itself is stored nowhere.';
COMMENT ON COLUMN public.reservation.card_last4 IS 'Last four digits of the card, for people.';
COMMENT ON COLUMN public.reservation.status IS 'PENDING while the saga runs, SUCCEED when it completed, FAILED when it was undone or ended by an operator.';
COMMENT ON COLUMN public.reservation.failure_reason IS 'Why it FAILED, in words for the guest.';
COMMENT ON COLUMN public.reservation.saga_id IS 'The saga that was started with it, in the same transaction.';
COMMENT ON COLUMN public.reservation.idempotency_key IS 'The client''s Idempotency-Key, NULL if it sent none.';
COMMENT ON COLUMN public.reservation.request_fingerprint IS 'SHA-256 of the request with the card reduced to its last four digits: tells a repeated request from another one under the same key.';
COMMENT ON COLUMN public.reservation.created_at IS 'When it was asked for.';
COMMENT ON COLUMN public.reservation.updated_at IS 'When the status last changed.';
