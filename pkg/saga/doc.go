// Package saga decides what a saga does next. It is the pure core of the
// orchestrator: values in, values out. It reads no clock, draws no id and no
// random number, and does no I/O, so that every rule can be tested, simulated
// and replayed from the history.
//
// # Model
//
// A [Definition] lists steps. A command step is a pair of operations at one
// participant: REQUEST does the work in a local transaction, CANCEL undoes it in
// another (Garcia-Molina and Salem, "Sagas", SIGMOD 1987). Steps are
// compensatable, then at most one pivot, then retriable. Neighbours with the same
// group run side by side; such a run, or a step alone, is a stage. A delay lets time
// pass, a signal waits for somebody outside; they ask no participant and have
// nothing to undo. A [State] is where one saga stands. [Start] and [Step] turn a
// state and an [Event] into a [Transition]: the next state, the messages to send and
// one history entry.
//
//	            stage through, stages left          no stage left
//	          ┌───────────────┐                    ┌──────────────► COMPLETED
//	start ─► STARTED ◄────────┘ ───────────────────┘
//	          │  │
//	          │  └ a step refused, or its outcome unknown, the deadline, or abort
//	          │                  ▼
//	          │              ABORTING ─► CANCEL each in reverse ─► ABORTED
//	          ▼                  ▼
//	        PARKED ◄─────────────┘   no rule helps: an operator decides
//
// In mode TCC every REQUEST only reserves. When all stages are through, every step
// is sent CONFIRM, at the same time, and the saga completes when all are confirmed.
// An operator can kill a saga from anywhere: KILLED compensates nothing.
//
// # Rules
//
//  1. A reply is matched with the step and the operation that it answers, never
//     with "the current step". What is not awaited changes nothing and is kept in
//     the history with its [Disposition].
//  2. When a stage is through, [NextSagaStep] names what is begun; after a refusal
//     [PrevSagaStep] names what is compensated: only steps that may have taken
//     effect, strictly in reverse of the stages. A step that is under way when its
//     neighbour is refused may have taken effect: it is cancelled at once, and the
//     participant's barrier sorts out what comes first.
//  3. A timeout is not a failure. The same command is sent again under the same
//     key. When the attempts are spent the outcome is unknown, so that the step
//     itself is compensated too, before the ones before it. An answer retry says that
//     nothing was changed: it uses up no attempt. The command is sent again after a
//     pause, as another attempt, because a late retry of an old one must not hasten the
//     new one. When such pauses have added up to the policy's RetryFor, the participant
//     is unavailable, and the saga goes on as if the attempts were spent. See [Retried].
//     No attempt is spent on a command that was not seen to be published for its whole
//     time, to a queue that somebody takes it from: a [Timer] says what is known of
//     that. Until then the same attempt waits on, with the reason in its [Held], and
//     nothing is sent again: the command lies there already. Then its whole time runs.
//     What cannot be published and is not tried any more parks the saga as
//     undeliverable. Delays, signals and the deadline are not held up.
//  4. A compensation may not fail, nor may a confirmation. It is repeated under its
//     own budget; then the saga is PARKED and says so. A refusal of it uses up an
//     attempt.
//  5. After the pivot, or the first CONFIRM, there is no way back: what is left is
//     repeated, then the saga is PARKED. An unknown pivot is PARKED at once: it
//     cannot be undone and must not be assumed. So is a retriable step that is
//     refused, because participants remember a refusal and would repeat it.
//  6. A step's output is kept, and later steps are given it: all of it, or what
//     their [Projection] takes.
//  7. While one step is PARKED nothing is begun; answers to what is under way are
//     still taken. So it is while an operator has paused the saga.
//  8. Terminal states are absorbing.
//
// # Replies
//
// What [Step] makes of a reply, by the state of the step that it names. Columns
// are the replies to REQUEST, CONFIRM and CANCEL; a retry stands for "nothing
// changed".
//
//	step          succeeded   failed      retry       confirmed   CONFIRM no   compensated  CANCEL no
//	never sent    quarantine  quarantine  quarantine  quarantine  quarantine   quarantine   quarantine
//	STARTED       advance     go back     send later  quarantine  quarantine   quarantine   quarantine
//	SUCCEEDED     duplicate   park        late        quarantine  quarantine   quarantine   quarantine
//	SKIPPED       late        late        late        quarantine  quarantine   quarantine   quarantine
//	FAILED        park        duplicate   late        quarantine  quarantine   quarantine   quarantine
//	CONFIRMING    duplicate   park        late        advance     send later   quarantine   quarantine
//	CONFIRMED     duplicate   park        late        duplicate   late         quarantine   quarantine
//	COMPENSATING  late        late        late        quarantine  quarantine   go on back   send later
//	COMPENSATED   late        late        late        quarantine  quarantine   duplicate    late
//	saga ended    late        late        late        late        late         late         late
//
// A retry that answers an attempt other than the last is late, and one that was taken
// already a duplicate.
//
// An unknown step, operation or outcome is quarantined in every state, and so is a
// reply for a delay or a signal. A PARKED step still takes the reply that it was
// parked for want of, and the saga goes on by itself; after a contradiction it waits
// for the operator whatever arrives.
//
// # Crashes
//
// The caller stores the next state, the history entry and the effects in one
// database transaction. Either all of a transition happened or nothing did; an
// event that is delivered again finds the state moved on and is a duplicate.
package saga
