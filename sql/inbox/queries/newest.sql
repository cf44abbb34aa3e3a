-- Where a command ends that is given to many: what is set aside while it runs is left alone.
SELECT COALESCE(max(id), 0) FROM public.inbox_quarantine
