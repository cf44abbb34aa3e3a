-- Clears away the relays that went without a word. When the database was gone for a
-- while, all come back at once, each to renew its own row and to clear away those of
-- the others: nobody waits here, so they cannot wait for one another.
DELETE FROM public.outbox_member
WHERE holder IN (SELECT m.holder FROM public.outbox_member AS m
                 WHERE m.seen_until <= clock_timestamp()
                 FOR UPDATE SKIP LOCKED)
