-- The saga that was started under (type $1, key $2) before.
SELECT s.id::text FROM public.saga s WHERE s.type = $1::text AND s.business_key = $2::text
OFFSET public.saga_hidden()
