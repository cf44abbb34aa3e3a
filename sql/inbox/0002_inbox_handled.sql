-- Which plain events a consumer has handled. The row is written in the transaction of the
-- work, so an event that comes again finds it and changes nothing.
--
-- Ids of messages say nothing of their age, so that old ones are forgotten by the time at
-- which they were sent, which each copy of a message carries along. What is forgotten is not
-- handled anew: inbox_forgotten says up to when, and what was sent before that and has no
-- row may have been handled. A message without that time is remembered for ever.

CREATE TABLE public.inbox_handled (
    consumer   text        NOT NULL,
    message_id text        NOT NULL,
    sent_at    timestamptz,
    handled_at timestamptz NOT NULL DEFAULT now(),
    -- Whoever inserts it first handles the event; who comes at the same time waits here.
    CONSTRAINT inbox_handled_pkey PRIMARY KEY (consumer, message_id),
    CONSTRAINT inbox_handled_consumer_given CHECK (consumer <> ''),
    CONSTRAINT inbox_handled_message_id_given CHECK (message_id <> '')
);

-- Old is what was both sent and handled long ago, whichever clock is wrong.
CREATE INDEX inbox_handled_old ON public.inbox_handled (consumer, greatest(sent_at, handled_at)) WHERE sent_at IS NOT NULL;

COMMENT ON TABLE  public.inbox_handled IS 'Plain events that a consumer has handled, each in the transaction of the work. Deleted by inbox.Once alone: a row that goes in another way is an event that never came.';
COMMENT ON COLUMN public.inbox_handled.consumer IS 'Name of the consumer that has handled it.';
COMMENT ON COLUMN public.inbox_handled.message_id IS 'AMQP message_id: the same for all copies of a message.';
COMMENT ON COLUMN public.inbox_handled.sent_at IS 'AMQP timestamp: the same for all copies. NULL where the message had none; such a row is never forgotten.';
COMMENT ON COLUMN public.inbox_handled.handled_at IS 'When the transaction of the work began, by the clock of the database.';
COMMENT ON INDEX public.inbox_handled_old IS 'Leads to what may be forgotten.';

CREATE TABLE public.inbox_forgotten (
    consumer text        NOT NULL,
    sent_to  timestamptz NOT NULL,
    moved_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT inbox_forgotten_pkey PRIMARY KEY (consumer),
    CONSTRAINT inbox_forgotten_consumer_given CHECK (consumer <> '')
);

COMMENT ON TABLE  public.inbox_forgotten IS 'How far a consumer has forgotten what it has handled. It moves with the deletion of the rows.';
COMMENT ON COLUMN public.inbox_forgotten.consumer IS 'Name of the consumer.';
COMMENT ON COLUMN public.inbox_forgotten.sent_to IS 'An event that was sent no later and has no row in inbox_handled may have been handled: it is set aside. It never goes back.';
COMMENT ON COLUMN public.inbox_forgotten.moved_at IS 'When it moved last, by the clock of the database.';
