-- See the function: what it writes, and why it is one. Parameters are text, so that every
-- driver can send them. False means that nothing was written; started.sql tells why.
-- $1 the service, $2 to $4 the definition and its hash, $5 the sagas, $6 to $19 the messages
-- and the channel as in outbox/append.sql, $20 whether not to start is an error.
SELECT public.saga_insert($1::text, $2::text, $3::integer, $4::text, $5::text::jsonb,
                         $6::text[], $7::text[], $8::text[], $9::text[], $10::text[], $11::text[], $12::text[],
                         $13::text[], $14::text[], $15::text[], $16::text[], $17::text[], $18::text[], $19::text, $20::boolean)
