package desk

import (
	"slices"
	"time"

	"pgregory.net/rapid"
)

// The part of the simulation that is about messages that are carried by calls.

func (s *sim) call(r *rapid.T) {
	if !s.callNext() {
		r.Skip()
	}
}

func (s *sim) callNext() bool {
	e := s.desk.NextCall()
	if e == nil {
		return false
	}
	for _, other := range slices.Concat(s.calls, s.inFlight) {
		if other.ID == e.ID {
			s.Fatalf("message %d is called twice at a time", e.ID)
		}
	}
	if row := s.rows[e.ID]; s.gone[row.id] || s.now < row.deliverAt && row.delivered == 0 {
		s.Fatalf("message %d is called, which was discarded or is not due", row.id)
	}
	s.calls = append(s.calls, e)
	return true
}

func (s *sim) endCall(r *rapid.T) {
	if len(s.calls) == 0 {
		r.Skip()
	}
	i := rapid.IntRange(0, len(s.calls)-1).Draw(r, "call")
	e := s.calls[i]
	s.calls = slices.Delete(s.calls, i, i+1)
	switch rapid.SampledFrom([]string{"answer", "answer", "done", "not yet", "no room", Unreachable, Unanswered, Invalid}).Draw(r, "end") {
	case "answer":
		s.desk.Answered(e, Message{})
		s.answers = append(s.answers, e)
	case "done":
		s.rows[e.ID].sent = true
		s.deliver(s.rows[e.ID])
		s.desk.Called(e)
	case "not yet":
		s.desk.Uncalled(e, Uncalled{Reason: Unanswered, Accepted: true, Later: time.Second})
	case "no room":
		s.desk.Uncalled(e, Uncalled{Later: time.Second})
	case Unreachable:
		s.desk.Uncalled(e, Uncalled{Reason: Unreachable, Failed: true, Later: 3 * time.Second})
	case Unanswered:
		s.desk.Uncalled(e, Uncalled{Reason: Unanswered, Failed: true, Accepted: true})
	case Invalid:
		s.desk.Uncalled(e, Uncalled{Reason: Invalid, Failed: true})
	}
}

// deferCall is what happens to a call that takes long.
func (s *sim) deferCall(r *rapid.T) {
	all := slices.Concat(s.calls, s.answers, s.inFlight)
	if len(all) == 0 {
		r.Skip()
	}
	if e := rapid.SampledFrom(all).Draw(r, "call"); e.Called {
		s.desk.Defer(e)
	}
}
