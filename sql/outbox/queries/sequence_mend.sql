-- Sets a sequence that rows were copied ahead of; the function says all there is to say.
SELECT public.outbox_sequence_mend()
