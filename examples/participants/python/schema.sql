CREATE TABLE charge (saga uuid NOT NULL, cents bigint NOT NULL);
