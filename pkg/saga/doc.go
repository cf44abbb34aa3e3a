// Package saga decides what a saga does next. It is the pure core of the
// orchestrator: values in, values out. It reads no clock, draws no id and no
// random number, and does no I/O, so that every rule can be tested, simulated
// and replayed from the history.
//
// # Model
//
// A [Definition] lists steps. Each step is a pair of operations at one
// participant: REQUEST does the work in a local transaction, CANCEL undoes it in
// another (Garcia-Molina and Salem, "Sagas", SIGMOD 1987). Steps are
// compensatable, then at most one pivot, then retriable. A [State] is where one
// saga stands. [Start] and [Step] turn a state and an [Event] into a
// [Transition]: the next state, the messages to send and one history entry.
//
//	            REQUEST succeeded, steps left          no step left
//	          ┌───────────────┐                    ┌──────────────► COMPLETED
//	start ─► STARTED ◄────────┘ ───────────────────┘
//	          │  │
//	          │  └ REQUEST failed, or unknown, or abort
//	          │                  ▼
//	          │              ABORTING ─► CANCEL each in reverse ─► ABORTED
//	          ▼                  ▼
//	        PARKED ◄─────────────┘   no rule helps: an operator decides
//
// # Rules
//
//  1. A reply is matched with the step and the operation that it answers, never
//     with "the current step". What is not awaited changes nothing and is kept in
//     the history with its [Disposition].
//  2. Success goes to [NextSagaStep], a refusal to [PrevSagaStep]. Only steps
//     that may have taken effect are compensated, strictly in reverse.
//  3. A timeout is not a failure. The same command is sent again under the same
//     key. When the attempts are spent the outcome is unknown, so that the step
//     itself is compensated too, before the ones before it.
//  4. A compensation may not fail. It is repeated under its own budget; then the
//     saga is PARKED and says so.
//  5. After the pivot there is no way back: retriable steps are repeated, then
//     the saga is PARKED. An unknown pivot is PARKED at once: it cannot be undone
//     and must not be assumed.
//  6. A step's output is kept, and later steps are given it.
//  7. Terminal states are absorbing.
//
// # Replies
//
// What [Step] makes of a reply, by the state of the step that it names. Columns
// are the replies to REQUEST and CANCEL; a retry stands for "nothing changed".
//
//	step          succeeded   failed      retry      compensated  CANCEL failed/retry
//	never sent    quarantine  quarantine  quarantine quarantine   quarantine
//	STARTED       advance     go back     send later quarantine   quarantine
//	SUCCEEDED     duplicate   park        late       quarantine   quarantine
//	SKIPPED       late        late        late       quarantine   quarantine
//	FAILED        park        duplicate   late       quarantine   quarantine
//	COMPENSATING  late        late        late       go on back   send later, then park
//	COMPENSATED   late        late        late       duplicate    late
//	saga ended    late        late        late       late         late
//
// An unknown step, operation or outcome is quarantined in every state. A PARKED
// saga still takes the reply that it was parked for want of, and goes on by
// itself; after a contradiction it waits for the operator whatever arrives.
//
// # Crashes
//
// The caller stores the next state, the history entry and the effects in one
// database transaction. Either all of a transition happened or nothing did; an
// event that is delivered again finds the state moved on and is a duplicate.
package saga
