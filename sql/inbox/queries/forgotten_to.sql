-- Up to when a consumer ($1) has forgotten what was sent. To be asked after the claim, in a
-- statement of its own: a row that the claim did not meet, because it was deleted, was
-- deleted together with what this newer snapshot shows.
SELECT max(f.sent_to) FROM public.inbox_forgotten AS f WHERE f.consumer = $1
