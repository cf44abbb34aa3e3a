SELECT pending FROM public.outbox_lag
