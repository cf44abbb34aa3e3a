-- See the function: what it writes, and why it is one. Parameters are text, so that every
-- driver can send them. Null means that nothing was written; started.sql tells why.
-- $1 the saga, $2 the hash of its definition, $3 and $4 what it waits for and the seconds
-- until then, $5 to $7 the history row, $8 to $21 the messages and the channel as in
-- outbox/append.sql, $22 whether not to start is an error.
SELECT public.saga_start($1::text::jsonb, $2::text, $3::text[], $4::float8[],
                         $5::text, $6::text[], $7::text,
                         $8::text[], $9::text[], $10::text[], $11::text[], $12::text[],
                         $13::text[], $14::text[], $15::text[], $16::text[], $17::text[],
                         $18::text[], $19::text[], $20::text[], $21::text, $22::boolean)
