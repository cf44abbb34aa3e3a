-- Old rows of the barrier go: what a saga of months ago was answered nobody asks any more.
-- Whoever does ask is refused, because the watermark says that there may have been a row.

CREATE FUNCTION public.saga_barrier_forget(older_than timestamptz, after uuid, most integer)
RETURNS TABLE (deleted bigint, last uuid)
LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp SET row_security = off
-- A walk along the primary key and nothing else: without statistics, and after many rows have
-- come at once, PostgreSQL reads and sorts all that is old for each call, 20 s of 5,000,000 rows.
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off AS $$
DECLARE
    -- Whatever the caller's clock and wish: a saga of today is not forgotten.
    bound CONSTANT timestamptz := LEAST(older_than, clock_timestamp() - interval '1 day');
    below CONSTANT uuid := (lpad(to_hex(GREATEST(floor(extract(epoch FROM bound) * 1000), 0)::bigint), 12, '0') || repeat('0', 20))::uuid;
    places tid[];
BEGIN
    -- The walk along the primary key begins after the last one, so it does not meet what it
    -- has deleted again. It goes by the id, and by when the row was written, because a saga
    -- may have its id from a clock that is slow. A row that somebody has in hand is left.
    -- The watermark moves over what is deleted and no further: were it a time, a clock that
    -- is fast for a moment would have every new saga refused.
    SELECT array_agg(b.place ORDER BY b.saga_id), count(*), (array_agg(b.saga_id ORDER BY b.saga_id DESC))[1]
      INTO places, deleted, last
      FROM (SELECT b.ctid AS place, b.saga_id FROM public.saga_barrier AS b
             WHERE b.saga_id > after AND b.saga_id < below AND get_byte(uuid_send(b.saga_id), 6) >> 4 = 7
               AND b.entered_at < bound AND (b.ended_at < bound) IS NOT FALSE
             ORDER BY b.saga_id, b.step
             LIMIT most
               FOR UPDATE SKIP LOCKED) AS b;
    IF deleted > 0 THEN
        UPDATE public.saga_barrier_watermark AS w SET forgotten_to = last, moved_at = clock_timestamp() WHERE w.forgotten_to < last;
        DELETE FROM public.saga_barrier AS b WHERE b.ctid = ANY (places);
    END IF;
    RETURN NEXT;
END
$$;

COMMENT ON FUNCTION public.saga_barrier_forget(timestamptz, uuid, integer) IS
    'Forgets at most so many steps, of sagas above an id that began and ended before a time, at least a day ago, and returns how many and the last saga, after which the next call goes on; null at the end. Each call is best a transaction. It may run at several places at once. Sagas whose ids are not of version 7 stay.';
