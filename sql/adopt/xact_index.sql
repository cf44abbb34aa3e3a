-- A window of new rows is found and measured in this index alone. Writers wait until
-- it is built.
CREATE INDEX ON :table (outbox_xact) INCLUDE (:id);
