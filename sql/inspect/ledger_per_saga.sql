-- What each saga paid in the end, newest first. Database of the payment service.
-- A saga that was compensated has a net of 0.
SELECT saga_id, charged, refunded, net, last_moved_at
FROM public.ledger_net
ORDER BY last_moved_at DESC
LIMIT 100;
