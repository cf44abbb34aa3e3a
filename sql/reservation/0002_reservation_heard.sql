-- Without an orchestrator the service itself has to know what it has heard of a reservation.
-- IF NOT EXISTS, because nothing else tells that psql has run this file.
ALTER TABLE public.reservation
    ADD COLUMN IF NOT EXISTS heard text[] NOT NULL DEFAULT '{}'
        CONSTRAINT reservation_heard_known
            CHECK (heard <@ ARRAY['room.booked', 'room.refused', 'payment.captured', 'payment.declined'])
        -- Of a reservation that succeeded nobody has said no.
        CONSTRAINT reservation_succeeds_unrefused
            CHECK (status <> 'SUCCEED' OR NOT heard && ARRAY['room.refused', 'payment.declined']);

COMMENT ON COLUMN public.reservation.heard IS 'The facts of other services that were heard of it, where it is placed without an orchestrator.';
