package sim

import (
	"time"

	"go.example/saga/pkg/jsonmap"
	"go.example/saga/pkg/saga"
)

// row is one saga in the orchestrator's database.
type row struct {
	state   saga.State
	history int64         // how many entries it has
	round   int           // of its timer
	wake    time.Duration // for which the timer is planned; 0: for none
	helped  int           // how often the operator has been asked
}

// tx is one transaction of the orchestrator: what it has read, what it was told and
// what it makes of that. Nothing of it is seen before it commits.
type tx struct {
	notes []note
	done  []applied
	read  [maxSagas]int64 // the version; 0 where the saga was not read
	last  [maxSagas]int   // in done, where the saga was read
	draft draft
}

// applied is one event in a transaction.
type applied struct {
	note   note
	before saga.State
	tr     saga.Transition
}

func (w *world) newTx() *tx {
	if n := len(w.spare); n > 0 {
		t := w.spare[n-1]
		w.spare = w.spare[:n-1]
		t.notes, t.done, t.read = t.notes[:0], t.done[:0], [maxSagas]int64{}
		return t
	}
	return &tx{}
}

// begin starts a saga; its first commands commit with it.
func (w *world) begin(i int8) {
	w.shape = &w.shapes[0]
	payload := outputs[1+w.below(3)]
	id := saga.ID{15: byte(i) + 1}
	tr, err := saga.Start(w.def, saga.StartParams{ID: id, Payload: payload}, w.clock())
	if err != nil {
		w.fail(invDefinition, "%v", err)
		return
	}
	a := applied{note: note{saga: i, step: -1}, tr: tr}
	d := w.newDraft(0)
	w.writeEffects(&d, &a)
	w.store(&a)
	w.commitDraft(&d)
	w.arm(i)
}

// save commits the transaction, unless a saga in it has moved on since it was read.
func (w *world) save(t *tx) (saved bool) {
	for i, version := range t.read {
		if version != 0 && version != w.rows[i].state.Version {
			w.tally.Faults[faultConflict]++
			w.rollBack(&t.draft)
			return false
		}
	}
	for i := range t.done {
		w.store(&t.done[i])
	}
	w.commitDraft(&t.draft)
	for i, version := range t.read {
		if version != 0 {
			w.arm(int8(i))
		}
	}
	return true
}

// writeEffects writes the messages that an event leads to.
func (w *world) writeEffects(d *draft, a *applied) {
	i := a.note.saga
	for _, e := range a.tr.Effects {
		switch e := e.(type) {
		case saga.SendCommand:
			n := note{kind: aCommand, saga: i, step: stepOf(e.Step), op: numbered(e.Operation), attempt: e.Attempt}
			w.write(d, message{note: n, aggregate: i})
		case saga.EmitEvent:
			w.write(d, message{note: note{kind: aNotice, saga: i, step: -1}, aggregate: i})
		}
	}
}

// store writes the saga and its history.
func (w *world) store(a *applied) {
	i := a.note.saga
	r := &w.rows[i]
	w.follow(&a.tr.Next)
	w.tellApplied(a)
	r.history++
	r.state = a.tr.Next
	w.checkTransition(a)
	w.alarm(a)
}

// stepOf numbers a step.
func stepOf(name string) int8 {
	if name == "" {
		return -1
	}
	return int8(name[0] - 'a')
}

// numberOf is what an object of outputs holds; 0 for none.
func numberOf(object jsonmap.JSONMap) int8 {
	for n, o := range outputs {
		if o != nil && o["n"] == object["n"] {
			return int8(n)
		}
	}
	return 0
}

// same compares what two attempts send.
func same(a, b jsonmap.JSONMap) bool {
	if len(a) != len(b) || (a == nil) != (b == nil) {
		return false
	}
	for name, value := range a {
		other, there := b[name]
		object, isObject := value.(map[string]any)
		otherObject, otherIs := other.(map[string]any)
		switch {
		case !there || isObject != otherIs:
			return false
		case isObject:
			if !same(object, otherObject) {
				return false
			}
		case value != other:
			return false
		}
	}
	return true
}
