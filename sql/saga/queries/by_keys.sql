-- The sagas that were started under business keys: $1 their types, $2 the keys.
SELECT s.type, s.business_key, s.id
FROM unnest($1::text[], $2::text[]) AS k (type, key)
JOIN public.saga s ON s.type = k.type AND s.business_key = k.key
OFFSET public.saga_hidden()
