-- Run once by the PostgreSQL image when it makes its cluster: a database for
-- each service of the sample. The daemons bring their tables themselves.
CREATE DATABASE saga_reservation;
CREATE DATABASE saga_hotel;
CREATE DATABASE saga_payment;
-- The mark by which make knows what is the project's own, on this server too.
COMMENT ON DATABASE saga_reservation IS 'saga: made by its make, removed by make drop';
COMMENT ON DATABASE saga_hotel IS 'saga: made by its make, removed by make drop';
COMMENT ON DATABASE saga_payment IS 'saga: made by its make, removed by make drop';
