-- A participant of sagas in SQL: it reserves seats and gives them back.
CREATE TABLE seat (saga uuid NOT NULL, seats integer NOT NULL);

-- One command is one transaction. Returns why the message is none, if so.
CREATE FUNCTION handle_command(message text, content bytea) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    command record;
BEGIN
    SELECT * INTO command FROM public.saga_command_take(message, content);
    IF NOT command.run THEN
        RETURN command.unreadable;
    END IF;
    BEGIN -- a block with exceptions is a savepoint
        CASE command.step || ' ' || command.operation
        WHEN 'flight REQUEST' THEN
            IF (command.payload ->> 'seats')::integer > 9 THEN
                RAISE SQLSTATE 'SREFU' USING MESSAGE = 'Not so many seats';
            END IF;
            INSERT INTO seat (saga, seats) VALUES (command.saga, (command.payload ->> 'seats')::integer);
            PERFORM public.saga_command_answer(message, 'succeeded', jsonb_build_object('locator', left(command.saga::text, 6)));
        WHEN 'flight CANCEL' THEN
            INSERT INTO seat (saga, seats) SELECT saga, -seats FROM seat WHERE saga = command.saga;
            PERFORM public.saga_command_answer(message, 'compensated');
        ELSE
            RAISE SQLSTATE 'SREFU' USING MESSAGE = 'Not a step of this service';
        END CASE;
    EXCEPTION
        WHEN SQLSTATE 'SREFU' THEN -- a business no: nothing took effect
            PERFORM public.saga_command_answer(message, 'failed', jsonb_build_object('type', 'urn:problem:flight:refused', 'title', SQLERRM));
        WHEN OTHERS THEN
            RAISE WARNING '% of saga %: answered retry: %', command.operation, command.saga, SQLERRM;
            PERFORM public.saga_command_answer(message, 'retry');
    END;
    RETURN NULL;
END
$$;
