CREATE TABLE booking (saga uuid NOT NULL, nights integer NOT NULL);
