-- Whether the message was set aside before. $1 consumer, $2 message id, $3 SHA-256.
SELECT EXISTS (
    SELECT FROM public.inbox_quarantine AS q
    WHERE q.consumer = $1 AND q.message_id = $2 AND q.message_sha256 = $3)
