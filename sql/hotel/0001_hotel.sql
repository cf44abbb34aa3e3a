-- Rooms and who has them when. That two stays in one room cannot overlap is the
-- database's promise (an exclusion constraint), not the program's.

-- For "=" of numbers inside a GiST index. Trusted: the owner of the database may.
CREATE EXTENSION IF NOT EXISTS btree_gist SCHEMA public;

CREATE TABLE public.room (
    hotel_id bigint  NOT NULL,
    room_id  bigint  NOT NULL,
    open     boolean NOT NULL,
    CONSTRAINT room_pkey PRIMARY KEY (hotel_id, room_id),
    CONSTRAINT room_ids_positive CHECK (hotel_id > 0 AND room_id > 0)
);

COMMENT ON TABLE  public.room IS 'The rooms there are.';
COMMENT ON COLUMN public.room.hotel_id IS 'The hotel.';
COMMENT ON COLUMN public.room.room_id IS 'The room within the hotel.';
COMMENT ON COLUMN public.room.open IS 'False: nobody can book it, whatever the dates.';

INSERT INTO public.room (hotel_id, room_id, open) VALUES (1, 1, true), (1, 2, false), (1, 3, true);

CREATE TABLE public.booking (
    id          uuid        NOT NULL DEFAULT gen_random_uuid(),
    saga_id     uuid        NOT NULL,
    hotel_id    bigint      NOT NULL,
    room_id     bigint      NOT NULL,
    stay        daterange   NOT NULL,
    state       text        NOT NULL DEFAULT 'ACTIVE',
    created_at  timestamptz NOT NULL DEFAULT now(),
    released_at timestamptz,
    CONSTRAINT booking_pkey PRIMARY KEY (id),
    CONSTRAINT booking_once_per_saga UNIQUE (saga_id),
    CONSTRAINT booking_room_exists FOREIGN KEY (hotel_id, room_id) REFERENCES public.room (hotel_id, room_id),
    CONSTRAINT booking_stay_bounded CHECK (NOT isempty(stay) AND NOT lower_inf(stay) AND NOT upper_inf(stay)),
    CONSTRAINT booking_state_known CHECK (state IN ('ACTIVE', 'RELEASED')),
    CONSTRAINT booking_released_at_iff_released CHECK ((state = 'RELEASED') = (released_at IS NOT NULL)),
    CONSTRAINT booking_no_overlap EXCLUDE USING gist (hotel_id WITH =, room_id WITH =, stay WITH &&) WHERE (state = 'ACTIVE')
);

COMMENT ON TABLE  public.booking IS 'A room held for the nights of a stay by one saga.';
COMMENT ON COLUMN public.booking.id IS 'The bookingId that the reservation''s saga keeps as output of the step room-booking.';
COMMENT ON COLUMN public.booking.saga_id IS 'The saga that booked; only its own CANCEL releases the room.';
COMMENT ON COLUMN public.booking.hotel_id IS 'The hotel.';
COMMENT ON COLUMN public.booking.room_id IS 'The room within the hotel.';
COMMENT ON COLUMN public.booking.stay IS 'First night to day of departure, the latter not included, so that stays can be back to back.';
COMMENT ON COLUMN public.booking.state IS 'ACTIVE holds the room, RELEASED no longer does.';
COMMENT ON COLUMN public.booking.created_at IS 'When it was booked.';
COMMENT ON COLUMN public.booking.released_at IS 'When it was released, NULL while ACTIVE.';
