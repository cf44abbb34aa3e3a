-- The database's time. The clock and not now(): asked for after the sagas are
-- locked, it is later than what earlier transactions wrote to them.
SELECT clock_timestamp()
