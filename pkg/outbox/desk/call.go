package desk

import "time"

// A message that is carried by a call has two marks. It is accepted when its receiver has
// it; that keeps no other message back, not even of its aggregate. It is done when the
// answer is published, or none will come. A call may take long, so the position passes one
// that is not done by setting it aside as [Calling], in the same transaction. So a called
// message is in the log behind the position, or set aside, or done.

// Uncalled says how a call ended that brought no answer.
type Uncalled struct {
	Reason, Error string
	// Failed: it counts as an attempt.
	Failed bool
	// Own: the caller has a schedule of its own. Only Later counts, and whether it is over.
	Own, Over bool
	// Accepted: the receiver has had the message.
	Accepted bool
	// Later is when to call again at the earliest, and Until at the latest; zero leaves it open.
	Later, Until time.Duration
}

// NextCall takes an entry to begin a call for; nil when there is none. Each has to be
// answered, by [Desk.Answered], [Desk.Called] or [Desk.Uncalled].
func (d *Desk[R, P]) NextCall() *Entry[R, P] {
	if d.calls.len() == 0 {
		return nil
	}
	e := d.calls.pop()
	delete(d.shelved, e.ID)
	d.away[e.ID] = e
	return e
}

// Answered says that a call brought an answer, which is to be published in place of the
// message: [Desk.Next] returns the entry when there is room.
func (d *Desk[R, P]) Answered(e *Entry[R, P], answer R) {
	d.undefer(e)
	e.answer, e.answered = answer, true
	d.answers.push(e)
}

// Called says that the receiver has the message, and that nothing is to be published.
func (d *Desk[R, P]) Called(e *Entry[R, P]) {
	d.undefer(e)
	e.sent = true
	d.finished(e)
	d.pass()
}

// Uncalled says that a call brought no answer. There will be another one.
func (d *Desk[R, P]) Uncalled(e *Entry[R, P], u Uncalled) {
	d.undefer(e)
	p := Parking[R]{
		Record: e.Record, State: Calling, Reason: u.Reason, Error: u.Error, Delay: u.Later,
		Accepted: u.Accepted || e.Accepted() >= 0,
	}
	if e.due != nil {
		p.Attempts = e.due.Attempts
	}
	if u.Failed {
		p.Attempts++
		state, pause := d.policy.after(u.Reason, p.Attempts, e.age(), d.random())
		if !u.Own {
			p.Delay = max(p.Delay, pause)
		}
		if u.Own && u.Over || !u.Own && state == Dead {
			p.State, p.Delay = CallDead, 0
		}
	}
	if u.Until > 0 {
		p.Delay = min(p.Delay, u.Until)
	}
	delete(d.away, e.ID)
	if !e.passed {
		d.park(e, p)
		d.pass()
		return
	}
	again := *e // whoever writes may be reading the entry
	d.park(&again, p)
	if e.due == nil {
		d.written.Parked = append(d.written.Parked, &again)
	}
}

// Defer sets a message of the log aside whose call takes long, so that the position can
// pass it. The call goes on.
func (d *Desk[R, P]) Defer(e *Entry[R, P]) {
	if e.done || e.due != nil || e.sent {
		return
	}
	e.parking, e.done = &Parking[R]{Record: e.Record, State: Calling}, true
	d.unsettled(e)
	d.pass()
}

// undefer takes that back where the position has not passed the message yet.
func (d *Desk[R, P]) undefer(e *Entry[R, P]) {
	if e.passed || e.due != nil || e.parking == nil {
		return
	}
	e.parking, e.done = nil, false
	d.parkings--
	if d.unwritten[e.Aggregate]--; d.unwritten[e.Aggregate] == 0 {
		delete(d.unwritten, e.Aggregate)
	}
}
