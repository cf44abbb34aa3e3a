package sim_test

// The files that mistakes are made in.
const (
	coreAction      = "pkg/saga/action.go"
	coreBackoff     = "pkg/saga/backoff.go"
	corePublication = "pkg/saga/publication.go"
	coreMigrate     = "pkg/saga/migrate.go"
	coreOrder       = "pkg/saga/order.go"
	coreProceed     = "pkg/saga/proceed.go"
	coreReply       = "pkg/saga/reply.go"

	coreStep    = "pkg/saga/step.go"
	coreTimer   = "pkg/saga/timer.go"
	deskRules   = "pkg/outbox/desk/desk.go"
	deskRoom    = "pkg/outbox/desk/room.go"
	twin        = "test/sim/barrier.go"
	participant = "test/sim/participant.go"
	store       = "test/sim/store.go"
	log         = "test/sim/outbox.go"
	relay       = "test/sim/relay.go"

	blameRules   = "pkg/inbox/blame/blame.go"
	blamePlan    = "pkg/inbox/blame/plan.go"
	inboxAttempt = "test/sim/inbox_attempt.go"
	inboxProcess = "test/sim/inbox_process.go"
)

// inboxMutants are the mistakes about who is to blame, and in how a consumer does what the
// rule says.
var inboxMutants = []mutant{
	{
		"a message is blamed at once", blameRules,
		"return Verdict{Do: Hold, At: s.next, Outage: outage}", "return Verdict{Do: SetAside, At: s.next, Outage: outage}",
	},
	{
		"a message is acknowledged while the circuit is open", blameRules,
		"case due && (!open || s.proven() && b.crowded(now)):", "case due:",
	},
	{
		"there is no minute", blameRules,
		"due := s.among >= b.Alone ||", "due := s.among > 0 ||",
	},
	{
		"time counts in which nobody commits", blameRules,
		"case b.commits > s.commits:", "case b.commits >= s.commits:",
	},
	{
		"what was under way when an outage began proves", blameRules,
		"{ return s.gaps > 1 }", "{ return s.gaps > 0 }",
	},
	{
		"an open circuit is never probed", blameRules,
		"b.next = now.Add(b.Probe.after(b.probes))", "b.next = now.Add(1000 * time.Hour)",
	},
	{
		"the circuit never opens", blameRules,
		"open := b.Open() || len(b.streak) >= b.Distinct", "open := b.Open()",
	},
	{
		"a new process tries the same one first", blameRules,
		"% uint64(b.Scatter)", "% 1",
	},
	{
		"what is set aside is never tried again", blamePlan,
		"return NextTry{Pause: min(pause, left)}", "return NextTry{Dead: true}",
	},
	{
		"what is set aside is tried for ever", blamePlan,
		"if left <= 0 {\n\t\treturn NextTry{Dead: true}\n\t}", "left = max(left, LongestPause)",
	},
	{
		"a row is marked before the broker has the message", inboxAttempt,
		"w.publish(l)\n\t\t\tif w.strikes(w.swarm.crash, faultDiesBetween) {",
		"if w.strikes(w.swarm.crash, faultDiesBetween) {\n\t\t\t\tr.state = rowRetried",
	},
	{
		"a dead letter is lost", inboxProcess,
		"w.setAside(c.letter, deadLetterRow)", "_ = deadLetterRow",
	},
}

// mutants are the mistakes. They are made in the core, in the relay's rules and, where
// these cannot make up for them, in what they rely on.
var mutants = []mutant{
	{
		"a timeout is a failure", coreTimer,
		"return d.asks() && !d.policy(s.Operation())", "return d.asks() && s.Operation() != Request && !d.policy(s.Operation())",
	},
	{
		"a step whose outcome is unknown is not compensated", coreStep,
		"m.turnBack(m.s.Steps[i].Name, FailureUnknown, problem)", "m.set(i, StepFailed)\n\t\tm.turnBack(m.s.Steps[i].Name, FailureUnknown, problem)",
	},
	{
		"an answer retry uses up an attempt", coreBackoff,
		"s.Attempt-s.Retried.Times >=", "s.Attempt >=",
	},
	{
		"answers retry are borne with for ever", coreReply,
		"For: s.Retried.For + pause,", "For: pause,",
	},
	{
		"one answer retry counts twice", coreReply,
		"case s.Retried.Attempt == s.Attempt:", "case s.Retried.Attempt == s.Attempt && s.Attempt == 0:",
	},
	{
		"silence uses up the time for answers retry", coreTimer,
		"m.send(i, m.s.Steps[i].Attempt+1)", "m.s.Steps[i].Retried.For += time.Hour\n\t\tm.send(i, m.s.Steps[i].Attempt+1)",
	},
	{
		"an attempt is spent while the relay is away", corePublication,
		"held, from := t.Held, t.Published", "held, from := \"\", t.Published",
	},
	{
		"an attempt's time runs from its sending", corePublication,
		"until: from.Add(d.policy(op).wait(", "until: from.Add(0 * d.policy(op).wait(",
	},
	{
		"a copy is sent while nobody consumes", corePublication,
		"held = q.Held", "held = \"\"",
	},
	{
		"an attempt's time runs while nobody consumes", corePublication,
		"if q.Served.After(from) {", "if q.Served.After(from) && q.Held != \"\" {",
	},
	{
		"an unknown pivot is compensated", coreStep,
		"case m.def.Steps[i].Type == Pivot:", "case m.def.Steps[i].Type == Pivot && len(m.s.Steps) == 0:",
	},
	{
		"a reply is credited to the current step", coreReply,
		"i := m.index(r.Step)\n\tswitch {\n\tcase i < 0:\n\t\tm.ignore(Quarantined, \"the saga has no such step\")",
		"i := m.index(r.Step)\n\tif c := m.index(m.current()); c >= 0 && m.def.Steps[c].asks() {\n\t\ti = c\n\t}\n\tswitch {\n\tcase i < 0:\n\t\tm.ignore(Quarantined, \"the saga has no such step\")",
	},
	{
		"a duplicate advances", coreReply,
		"m.ignore(Duplicate, \"the step is known to have \"+string(first))",
		"if c := m.index(m.current()); c >= 0 {\n\t\t\tm.set(c, StepSucceeded)\n\t\t\tm.advance(\"again\")\n\t\t\tm.proceed()\n\t\t}",
	},
	{
		"a finished saga restarts", coreReply,
		"case m.s.Status.Terminal():\n\t\tm.ignore(Late, \"the saga has ended\")",
		"case m.s.Status.Terminal():\n\t\tm.s.Steps[0].Status = StepStarted\n\t\tm.send(0, 1)",
	},
	{
		"a late success revives a step that is being compensated", coreReply,
		"m.ignore(Late, \"the step is being or has been compensated\")",
		"if r.Outcome == OutcomeSucceeded {\n\t\t\tm.set(i, StepSucceeded)\n\t\t\tm.proceed()\n\t\t}",
	},
	{
		"a refused compensation counts as done", coreReply,
		"m.awaited(i, r, OutcomeCompensated,", "m.awaited(i, r, r.Outcome,",
	},
	{
		"steps that were never begun are compensated", coreOrder,
		"case StepPending, StepFailed, StepCompensated, StepOmitted:",
		"case StepPending:\n\t\t\t\tprev, left = append(prev, steps[j].Name), true\n\t\t\tcase StepFailed, StepCompensated, StepOmitted:",
	},
	{
		"a neighbour that is under way is not cancelled", coreOrder,
		"case StepStarted, StepSucceeded, StepConfirming, StepConfirmed, StepSkipped:", "case StepSucceeded, StepConfirming, StepConfirmed, StepSkipped:",
	},
	{
		"compensation goes forward", coreOrder,
		"for i := len(stages) - 1; i >= 0; i-- {", "for i := range stages {",
	},
	{
		"a join waits for the first step only", coreOrder,
		"case StepStarted, StepFailed, StepCompensating, StepCompensated:\n\t\t\t\tthrough = false",
		"case StepStarted, StepFailed, StepCompensating, StepCompensated:\n\t\t\t\tthrough = through && s.Name != steps[stage[0]].Name",
	},
	{
		"CONFIRM is sent before all have tried", coreProceed,
		"if !left {\n\t\t\tm.confirm()", "if !left || len(next) == 0 && m.def.Mode == TCC {\n\t\t\tm.confirm()",
	},
	{
		"CONFIRM follows when all is cancelled", coreProceed,
		"m.finish(StatusAborted, EventAborted)", "m.confirm()",
	},
	{
		"a saga goes back after a CONFIRM", coreStep,
		"case StepConfirming, StepConfirmed:\n\t\t\treturn true", "case StepConfirming, StepConfirmed:\n\t\t\treturn false",
	},
	{
		"the deadline turns back past the pivot", coreTimer,
		"if !m.noWayBack() {", "if len(m.s.Steps) > 0 {",
	},
	{
		"a pause does not hold", coreProceed,
		"for !m.s.Paused {\n\t\tnext, left", "for {\n\t\tnext, left",
	},
	{
		"a parked saga goes on", coreProceed,
		"case m.s.ParkReason() != \"\":\n\t\tm.s.Status = StatusParked\n", "",
	},
	{
		"a saga is parked without a word", coreStep,
		"m.effects = append(m.effects, EmitEvent{Kind: EventParked, Detail: detail, Problem: m.entry.Problem})", "m.entry.Detail = detail",
	},
	{
		"kill compensates", coreAction,
		"m.finish(StatusKilled, EventKilled)", "m.turnBack(\"\", FailureAborted, Problem{})\n\tm.unpark(\"\")\n\tm.proceed()",
	},
	{
		"retry lets a parked signal wait for ever", coreAction,
		"m.proceed() // a step that was not sent again may still be parked", "m.unpark(a.Step)\n\tm.proceed()",
	},
	{
		"skip confirms a step again", coreAction,
		"default: // of two contradictory answers the first one counts\n\t\tm.unpark(s.Name)", "default:\n\t\tm.set(i, StepSkipped)",
	},
	{
		"retry requests while the saga goes back", coreAction,
		"!toBeCancelled && ", "(!toBeCancelled || i >= 0) && ",
	},
	{
		"a new version puts steps before what has begun", coreMigrate,
		"return steps, to.noGap(steps, last)", "return steps, nil",
	},
	{
		"an early signal is lost", coreProceed,
		"m.signalled(i, early)", "_ = early",
	},
	{
		"a condition is read the wrong way round", coreProceed,
		"case !needed:", "case needed && d.When != \"\":",
	},
	{
		"a command says something else when it is sent again", coreStep,
		"Outputs: m.outputsFor(i),", "Outputs: m.s.Outputs,",
	},
	{
		"another attempt is sent under the old number", coreTimer,
		"m.send(i, m.s.Steps[i].Attempt+1)", "m.send(i, m.s.Steps[i].Attempt)",
	},
	{
		"a delay is over at once", coreProceed,
		"s.WakeAt = m.now.Add(d.Wait)", "s.WakeAt = m.now.Add(d.Wait / 2)",
	},
	{
		"a cancel leaves no tombstone", twin,
		"e.state = cancelled", "e.state = unheardOf",
	},
	{
		"a refusal is forgotten", twin,
		"e.state = failed", "e.state = unheardOf",
	},
	{
		"work commits apart from the barrier", participant,
		"w.barrier, w.ledger = barrier, ledger", "w.barrier, _ = barrier, ledger",
	},
	{
		"nothing compares versions", store,
		"if version != 0 && version != w.rows[i].state.Version {", "if version != 0 && version > w.rows[i].state.Version {",
	},
	{
		"a signal that came early does a command's work", coreMigrate,
		"kept && step.Kind != Signal {", "kept && step.Kind != Signal && len(s.Steps) == 0 {",
	},
	{
		"a new version moves a step that has begun to another stage", coreMigrate,
		"if d.Steps[d.stageOf(i)].Name != to.Steps[to.stageOf(j)].Name {", "if len(steps) == 0 {",
	},
	{
		"the position passes what is not confirmed", deskRules,
		"for d.open.len() > 0 && d.open.front().done {", "for d.open.len() > 0 && (d.open.front().done || d.open.front().sent) {",
	},
	{
		"a nack counts as a confirm", deskRules,
		"d.answered(e)\n\tif e.Called {", "if reason == Nacked {\n\t\td.Confirmed(e)\n\t\treturn\n\t}\n\td.answered(e)\n\tif e.Called {",
	},
	{
		"a refused message is passed and not parked", deskRules,
		"d.written.Parked = append(d.written.Parked, e)\n\t\t\tcontinue", "continue",
	},
	{
		"the position is saved before what it passes is parked", deskRules,
		"d.written = Written[R, P]{Position: w.Position, PublishedID: w.PublishedID}",
		"d.written = Written[R, P]{Position: w.Position, PublishedID: w.PublishedID, Parked: w.Parked}\n\tw.Parked = nil",
	},
	{
		"what is parked is written before the position comes to it", deskRules,
		"if e.due != nil {\n\t\td.written.Parked = append(d.written.Parked, e)\n\t}",
		"d.written.Parked = append(d.written.Parked, e)",
	},
	{
		"those that come later overtake a refused message", deskRules,
		"\td.blocked[key] = true\n\td.park(e, p)", "\td.park(e, p)",
	},
	{
		"those behind a refused message overtake it", deskRules,
		"d.park(b, Parking[R]{State: Waiting})", "d.enqueue(b)",
	},
	{
		"a new desk does not know what waits", deskRules,
		"for _, key := range blocked {\n\t\td.blocked[key] = true", "for _, key := range blocked {\n\t\td.blocked[key] = false",
	},
	{
		"an aggregate goes on when some of its parked messages are saved", deskRules,
		"if d.unwritten[key] == 0 {\n\t\t\tdelete(d.blocked, key)", "if d.unwritten[key] >= 0 {\n\t\t\tdelete(d.blocked, key)",
	},
	{
		"an aggregate goes on though the database says that it waits", deskRules,
		"for _, key := range blocked {\n\t\tdelete(touched, key)", "for _, key := range blocked[:0] {\n\t\tdelete(touched, key)",
	},
	{
		"two messages of an aggregate are with the broker", relay,
		"Aggregate: aggregateNames[m.aggregate],", "Aggregate: aggregateNames[(int(m.aggregate)+id)%aggregates],",
	},
	{
		"a message that is due is taken twice", deskRules,
		"if d.shelved[m.ID] != nil || d.away", "if d.shelved[m.ID] != nil && m.ID < 0 || d.away",
	},
	{
		"a confirmed message stays parked", deskRules,
		"d.written.Unparked = append(d.written.Unparked, e)\n\td.unsettled(e)", "d.exposed--",
	},
	{
		"what is passed and not saved leaves the window", deskRules,
		"d.written.Passed++", "d.exposed--",
	},
	{
		"the window is what is in flight", deskRoom,
		"return d.exposed >= d.limits.Window-d.limits.Window/8", "return d.inFlight >= d.limits.Window-d.limits.Window/8",
	},
	{
		"a desk is left with gaps", deskRoom,
		"return len(d.ready) > 0 && d.ready[0].turn < d.last", "return false",
	},
	{
		"what is not committed is read", log,
		"case commit <= p.start.settled || commit > p.start.ends:", "case commit > 0 && commit <= p.start.settled || commit > p.start.ends:",
	},
	{
		"the end of a window is the present", log,
		"p.end = position{settled: p.start.ends}", "p.end = position{settled: o.commits}",
	},
	{
		"after a crash nobody looks at what is parked", relay,
		"if v.parked > 0 {\n\t\tw.lookSoon(s)", "if v.parked < 0 {\n\t\tw.lookSoon(s)",
	},
	{
		"parked messages are saved apart from the position", relay,
		"if r.saving && !r.committed && w.below(2) == 1 {\n\t\tw.savePosition(s, &r.save.written)",
		"if r.saving && !r.committed && w.below(2) == 1 {\n\t\tw.advance(s, r.save.written.Position)",
	},
}
