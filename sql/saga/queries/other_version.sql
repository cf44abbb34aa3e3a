-- The sagas of a definition ($1) that have not ended and follow another version than
-- $2, or of those only version $3 if it is not 0: at most $5 above the id $4, the
-- lowest first. The index saga_look leads to what has not ended. The order is that of
-- the ids, but as texts: else the planner, which takes what runs to be spread evenly
-- over the ids, would walk the primary key past finished millions.
SELECT s.id
FROM public.saga s
WHERE s.look_at IS NOT NULL AND s.type = $1::text AND s.definition_version <> $2::integer
  AND $3::integer IN (0, s.definition_version) AND s.id > $4::uuid
ORDER BY s.id::text COLLATE "C"
LIMIT $5::integer
OFFSET public.saga_hidden()
