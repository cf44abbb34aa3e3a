-- Run once by the PostgreSQL image when it makes its cluster: a database for
-- each service of the sample. The daemons bring their tables themselves.
CREATE DATABASE saga_reservation;
CREATE DATABASE saga_hotel;
CREATE DATABASE saga_payment;
