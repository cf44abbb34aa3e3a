%% Runs inside a node of the broker, by `rabbitmqctl eval`, on RabbitMQ 3.10 to 4.
%% The proof comes first: without the connection of that name this is another broker.
Mark = <<"$MARK">>,
Add = $ADD,
Remove = $REMOVE,
%% What the node of a connection keeps of it. The connection itself is not asked: one
%% that is stuck in a write would never answer.
Infos = fun(Pid) ->
	case rpc:call(node(Pid), ets, lookup, [connection_created, Pid], 5000) of
		[{_, Info}] -> [Info];
		_ -> []
	end
end,
Proves = fun(Info) ->
	lists:member({<<"connection_name">>, longstr, <<"$PROOF">>}, proplists:get_value(client_properties, Info, []))
end,
Ours = fun(V) -> (catch vhost:get_description(rabbit_vhost:lookup(V))) =:= Mark end,
Delete = fun(V) -> rabbit_vhost:delete(V, <<"saga">>) end,
%% All nodes of the cluster: a proxy may lead to another one than this.
Proofs = [Info || Pid <- rabbit_networking:connections(), Info <- Infos(Pid), Proves(Info)],
Present = rabbit_vhost:list_names(),
Foreign = [V || V <- Add, lists:member(V, Present), not Ours(V)],
case {Proofs, Foreign} of
	{[], _} -> another_broker;
	{_, [V | _]} -> {foreign, V};
	{[Proof | _], []} ->
		User = proplists:get_value(user, Proof),
		New = Add -- Present,
		[Delete(V) || V <- Remove, lists:member(V, Present), Ours(V)],
		try
			[ok = rabbit_vhost:add(V, Mark, [], <<"saga">>) || V <- New],
			[begin
				true = Ours(V),
				ok = rabbit_auth_backend_internal:set_permissions(User, V, <<".*">>, <<".*">>, <<".*">>, <<"saga">>)
			end || V <- Add]
		catch
			Class:Reason ->
				[Delete(V) || V <- New, Ours(V)],
				erlang:raise(Class, Reason, [])
		end,
		{ours, [V || V <- rabbit_vhost:list_names(), Ours(V)]}
end.
