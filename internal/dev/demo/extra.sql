-- What the demo's own step holds for each saga, beside the reservation's tables.
CREATE TABLE IF NOT EXISTS public.demo_extra (
    saga_id uuid NOT NULL,
    state   text NOT NULL,
    CONSTRAINT demo_extra_pkey PRIMARY KEY (saga_id)
);

COMMENT ON TABLE  public.demo_extra IS 'What the step of `make demo PATTERN=…` that no daemon carries out holds for a saga.';
COMMENT ON COLUMN public.demo_extra.saga_id IS 'The saga.';
COMMENT ON COLUMN public.demo_extra.state IS 'How far the step is: the words are the demo''s.';
