SELECT status FROM public.saga WHERE business_key = $1
