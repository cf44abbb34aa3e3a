-- Clears away the relays that went without a word, also those whose membership is void.
-- When the database was gone for a
-- while, all come back at once, each to renew its own row and to clear away those of
-- the others: nobody waits here, so they cannot wait for one another.
-- $1 holders and $2 ends, as roster.sql gives them, of memberships that are void: element
-- n of each is one.
DELETE FROM public.outbox_member
WHERE holder IN (SELECT m.holder FROM public.outbox_member AS m
                 WHERE m.seen_until <= clock_timestamp()
                    OR (m.holder, extract(epoch FROM m.seen_until)::text) IN
                       (SELECT v.holder, v.ends FROM unnest($1::text[], $2::text[]) AS v (holder, ends))
                 FOR UPDATE SKIP LOCKED)
