-- Lets this transaction, which carries out one command, stand idle for longer than the
-- session allows: its handler may wait for another system as long as its limit says. The
-- value ends with the transaction. Other settings stay, statement_timeout among them.
-- $1 milliseconds.
SELECT set_config('idle_in_transaction_session_timeout', ($1::bigint)::text, true)
