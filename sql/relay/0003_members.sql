-- The relays that are alive, so that they can share the shards out fairly.

-- +goose Up

CREATE TABLE public.outbox_member (
    holder     text        NOT NULL,
    seen_until timestamptz NOT NULL,
    lifetime   interval    NOT NULL,
    CONSTRAINT outbox_member_pkey PRIMARY KEY (holder),
    CONSTRAINT outbox_member_named CHECK (holder <> ''),
    CONSTRAINT outbox_member_lifetime_is_bounded CHECK (lifetime > '0' AND lifetime <= '5 min')
) WITH (fillfactor = 10); -- as outbox_position: each relay writes its row every few seconds
COMMENT ON TABLE public.outbox_member IS
    'The relays that are alive, whether they hold shards or stand by. They spread the shards of outbox_position evenly among themselves.';
COMMENT ON COLUMN public.outbox_member.holder IS 'The relay''s name, as in outbox_position.holder.';
COMMENT ON COLUMN public.outbox_member.seen_until IS 'When it counts as gone unless it is heard of before, by the database''s clock.';
COMMENT ON COLUMN public.outbox_member.lifetime IS 'How long that was from when it was written. A row that has stood unchanged for so long is void, whatever the database''s clock says.';
