-- The relay walks the table in this order. Writers wait until the index is built.
CREATE UNIQUE INDEX ON :table (:id);
