-- What each service holds for a reservation, in one statement: possible for who may read all of
-- their tables, which in a schema of its own no service may.
SELECT r.guest_id AS guest, r.status, coalesce(b.state, '') AS booking, coalesce(l.net, 0) AS paid
FROM reservation.reservation AS r
LEFT JOIN hotel.booking AS b ON b.saga_id = r.saga_id
LEFT JOIN payment.ledger_net AS l ON l.saga_id = r.saga_id
WHERE r.id::text = ANY ($1::text[])
ORDER BY r.created_at
