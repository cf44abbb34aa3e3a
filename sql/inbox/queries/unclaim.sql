-- Gives back events that were set aside and not handled: put back, they are new.
-- $1 consumer, $2 ids.
DELETE FROM public.inbox_handled AS h WHERE h.consumer = $1 AND h.message_id = ANY ($2::text[])
