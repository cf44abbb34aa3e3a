package desk

import (
	"cmp"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// Whatever happens, in whatever order, a desk keeps the promises of the documentation
// of package relay. More is tried with -rapid.checks=100000.
func TestDeskKeepsItsPromises(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		s := newSim(r)
		r.Repeat(map[string]func(*rapid.T){
			"write": s.write, "late commit": s.commitLate, "read": s.readPage, "send": s.send, "answer": s.answer,
			"call": s.call, "call ends": s.endCall, "call is slow": s.deferCall,
			"save": s.beginSave, "saved": s.commitSave, "save answered": s.answerSave, "save lost": s.loseSave, "hear": s.hear,
			"enter": func(*rapid.T) { s.enter() }, "ask": s.ask, "look": s.look, "found": s.takeFound, "time": s.passTime, "reload": s.reload,
			"operator": s.operator, "crash": s.crash, "session breaks": s.breakSession,
			"": s.check,
		})
		s.quiet()
	})
}

// sim is a relay's desk, and what it has not saved yet, between a database, a broker and an operator.
type sim struct {
	*rapid.T
	*simDatabase
	limits  Limits
	lastID  int64
	locked  []*simRow    // not committed, and their aggregates' other writers wait
	unread  []*simRow    // committed, in no window
	windows map[int]bool // numbers of rows of the log where a window ends

	desk     *Desk[Message, int]
	ledger   testWritten // what is done and not saved
	heard    []simSave   // saved, and the desk has not been told
	read     int         // rows of the log that were read
	inFlight []*testEntry
	calls    []*testEntry
	answers  []*testEntry // whose answers wait to be published
	saving   *simSave
	asking   bool
	inWork   []int64
	found    *simFound
	since    int            // version of the parked messages when the desk was set up
	gone     map[int64]bool // discarded by then

	reloading  bool
	duplicates int
	excused    int // duplicates that crashes may make
}

// simSave is a save without an answer.
type simSave struct {
	written testWritten
	done    bool
	blocked []string
}

type simFound struct {
	due     []Due[Message]
	version int
}

func newSim(r *rapid.T) *sim {
	window := rapid.IntRange(1, 12).Draw(r, "window")
	s := &sim{
		T:           r,
		simDatabase: &simDatabase{fatal: r.Fatalf, rows: map[int64]*simRow{}, parked: map[int64]*simParked{}},
		limits:      Limits{Window: window, InFlight: max(1, window/2), Bytes: 6, Open: 2 * window},
		windows:     map[int]bool{},
	}
	s.restart()
	return s
}

// restart goes on from what the database says.
func (s *sim) restart() {
	s.ledger, s.heard, s.saving = testWritten{Position: s.saved}, nil, nil
	s.setUp()
}

// setUp makes a desk that goes on from the ledger's position.
func (s *sim) setUp() {
	policy := Policy{First: time.Second, Longest: 4 * time.Second, RetryFor: 10 * time.Second}
	s.desk = New[Message](s.limits, policy, func() float64 { return 0.5 }, s.ledger.Position, s.blocked())
	s.read, s.since, s.reloading = s.ledger.Position, s.version, false
	s.inFlight, s.calls, s.answers, s.asking, s.found = nil, nil, nil, false, nil
	s.gone = map[int64]bool{}
	for id, p := range s.parked {
		s.gone[id] = p.state == Discarded
	}
}

// write draws an id and commits at once, or keeps its aggregate locked for a while.
func (s *sim) write(r *rapid.T) {
	key := rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(r, "key")
	if slices.ContainsFunc(s.locked, func(row *simRow) bool { return row.key == key }) || s.lastID > 60 {
		r.Skip()
	}
	s.lastID++
	row := &simRow{id: s.lastID, key: key, size: rapid.IntRange(0, 3).Draw(r, "size"), ordered: true, wanted: 1}
	if rapid.IntRange(0, 5).Draw(r, "for later") == 0 {
		row.deliverAt, row.ordered = s.now+rapid.Int64Range(1, 5).Draw(r, "delay"), false
	}
	if rapid.IntRange(0, 2).Draw(r, "called") == 0 {
		row.called, row.ordered = true, false
	}
	if rapid.IntRange(0, 3).Draw(r, "late") == 0 {
		s.locked = append(s.locked, row)
	} else {
		s.unread = append(s.unread, row)
	}
}

func (s *sim) commitLate(r *rapid.T) {
	if len(s.locked) == 0 {
		r.Skip()
	}
	s.unread, s.locked = append(s.unread, s.locked[0]), s.locked[1:]
}

func (s *sim) readPage(r *rapid.T) {
	if !s.readRows(rapid.IntRange(1, 5).Draw(r, "page")) {
		r.Skip()
	}
}

// readRows gives the desk a page, of a new window at the end of the last one.
func (s *sim) readRows(limit int) bool {
	if !s.desk.WantsPage() || s.reloading {
		return false
	}
	if s.read == len(s.log) {
		s.openWindow()
	}
	n := 0
	for ; s.read < len(s.log) && n < limit && (n == 0 || !s.windows[s.read]); n++ {
		row := s.log[s.read]
		s.read++
		m := row.message()
		m.Scheduled = row.deliverAt > s.now
		s.desk.Admit(m, m, s.read)
	}
	if n == 0 {
		s.desk.AdmitGap(s.read)
	}
	return true
}

func (s *sim) openWindow() {
	slices.SortFunc(s.unread, func(a, b *simRow) int { return cmp.Compare(a.id, b.id) })
	for _, row := range s.unread {
		row.place = len(s.log)
		s.log, s.rows[row.id] = append(s.log, row), row
	}
	s.unread = nil
	s.windows[len(s.log)] = true
}

func (s *sim) send(r *rapid.T) {
	if !s.sendNext() {
		r.Skip()
	}
}

func (s *sim) sendNext() bool {
	e := s.desk.Next()
	if e == nil {
		return false
	}
	row := s.rows[e.ID]
	s.answers = slices.DeleteFunc(s.answers, func(other *testEntry) bool { return other == e })
	for _, other := range s.inFlight {
		if other.Aggregate == row.key && !other.Called && !row.called {
			s.Fatalf("messages %d and %d of %s are with the broker at once", other.ID, row.id, row.key)
		}
	}
	if s.gone[row.id] {
		s.Fatalf("message %d is sent, which was discarded", row.id)
	}
	if s.now < row.deliverAt && row.delivered == 0 {
		s.Fatalf("message %d is sent before its time", row.id)
	}
	row.sent = true
	s.inFlight = append(s.inFlight, e)
	return true
}

func (s *sim) answer(r *rapid.T) {
	if len(s.inFlight) == 0 {
		r.Skip()
	}
	reasons := []string{"", "", "", Unroutable, Nacked, Invalid, Fatal}
	s.answered(rapid.IntRange(0, len(s.inFlight)-1).Draw(r, "message"), rapid.SampledFrom(reasons).Draw(r, "reason"))
}

func (s *sim) answered(i int, reason string) {
	e := s.inFlight[i]
	s.inFlight = slices.Delete(s.inFlight, i, i+1)
	if reason == "" {
		s.deliver(s.rows[e.ID])
		s.desk.Confirmed(e)
		return
	}
	s.rows[e.ID].sent = false
	s.desk.Refused(e, reason, "no")
}

// deliver is the broker's: the message is in a queue.
func (s *sim) deliver(row *simRow) {
	for _, before := range s.log[:row.place] {
		if row.ordered && before.ordered && before.key == row.key && before.delivered == 0 && !before.discarded {
			s.Fatalf("message %d of %s overtakes %d", row.id, row.key, before.id)
		}
	}
	if row.delivered++; row.delivered > row.wanted {
		s.duplicates++
	}
}

// enter is what the loop does after each event.
func (s *sim) enter() {
	open := 0
	for _, e := range s.desk.open.items[s.desk.open.head:] {
		if !e.empty {
			open++
		}
	}
	s.ledger.Add(s.desk.Take())
	if want := s.read - open; s.ledger.Position != want {
		s.Fatalf("the position is behind %d rows, want %d", s.ledger.Position, want)
	}
}

func (s *sim) beginSave(r *rapid.T) {
	if s.saving != nil {
		r.Skip()
	}
	s.enter()
	s.saving = &simSave{written: s.ledger}
}

func (s *sim) commitSave(r *rapid.T) {
	if s.saving == nil || s.saving.done {
		r.Skip()
	}
	s.saving.blocked, s.saving.done = s.save(s.saving.written), true
}

func (s *sim) answerSave(r *rapid.T) {
	if s.saving == nil || !s.saving.done {
		r.Skip()
	}
	s.settle(*s.saving)
	s.saving = nil
}

// loseSave leaves open whether it was committed.
func (s *sim) loseSave(r *rapid.T) {
	if s.saving == nil {
		r.Skip()
	}
	s.saving = nil
}

// settle knows that a save was committed; the desk hears of it later.
func (s *sim) settle(saved simSave) {
	s.ledger.Settle(saved.written)
	s.heard = append(s.heard, saved)
}

// saveNow saves what there is to save, at once.
func (s *sim) saveNow() {
	s.enter()
	w := s.ledger
	s.settle(simSave{written: w, blocked: s.save(w)})
}

func (s *sim) hear(*rapid.T) {
	for _, saved := range s.heard {
		s.desk.Saved(saved.written, saved.blocked)
	}
	s.heard = nil
}

func (s *sim) ask(r *rapid.T) {
	if s.asking || s.reloading || !s.desk.WantsDue() {
		r.Skip()
	}
	s.asking, s.inWork = true, s.desk.InWork()
}

func (s *sim) look(r *rapid.T) {
	if !s.asking || s.found != nil {
		r.Skip()
	}
	s.found = &simFound{s.due(s.inWork), s.version}
}

func (s *sim) takeFound(r *rapid.T) {
	if s.found == nil {
		r.Skip()
	}
	found := s.found
	s.asking, s.found = false, nil
	if found.version != s.since {
		s.reloading = true
		return
	}
	for _, due := range found.due {
		s.desk.AdmitDue(due.Record, due)
	}
}

func (s *sim) passTime(r *rapid.T) { s.now += rapid.Int64Range(1, 5).Draw(r, "seconds") }

// operator changes any message, but none while a save is without an answer: it may be
// repeated and then undoes what an operator did in between.
func (s *sim) operator(r *rapid.T) {
	if len(s.log) == 0 || s.ledger.Size() > 0 {
		r.Skip()
	}
	id := rapid.SampledFrom(s.log).Draw(r, "message").id
	rapid.SampledFrom([]func(int64){s.retry, s.discard, s.replay}).Draw(r, "operation")(id)
}

// reload sets the desk up anew once everything that it has begun is done.
func (s *sim) reload(r *rapid.T) {
	if !s.reloading || s.desk.open.len() > 0 || s.desk.inFlight > 0 || s.saving != nil {
		r.Skip()
	}
	s.saveNow()
	s.heard = nil // what is known of the old desk means nothing to the new one
	s.setUp()
}

// crash loses everything but the database.
func (s *sim) crash(r *rapid.T) {
	if rapid.IntRange(0, 3).Draw(r, "really") > 0 {
		r.Skip()
	}
	s.loseDesk(r)
}

func (s *sim) loseDesk(r *rapid.T) {
	for _, e := range s.inFlight {
		if rapid.Bool().Draw(r, "delivered") {
			s.deliver(s.rows[e.ID])
		}
	}
	for _, row := range s.log {
		if row.sent {
			s.excused++
			row.sent = false
		}
	}
	s.restart()
}

// breakSession leaves open what became of the messages in flight; what is known is
// saved with the last breath, or is not.
func (s *sim) breakSession(r *rapid.T) {
	if rapid.IntRange(0, 3).Draw(r, "really") > 0 {
		r.Skip()
	}
	if s.enter(); rapid.Bool().Draw(r, "released") {
		s.save(s.ledger)
	}
	s.loseDesk(r)
}

// check is what holds at all times.
func (s *sim) check(r *rapid.T) {
	exposed, bytes := 0, 0
	for _, row := range s.log {
		if row.sent && !row.called {
			exposed++
		}
	}
	for _, e := range s.inFlight {
		bytes += int(e.Size)
	}
	switch d := s.desk; {
	case exposed > d.exposed:
		r.Fatalf("%d messages are exposed, the desk counts %d", exposed, d.exposed)
	case d.exposed > s.limits.Window:
		r.Fatalf("%d messages are exposed, more than the window", d.exposed)
	case s.duplicates > s.excused:
		r.Fatalf("%d messages came twice, crashes excuse %d", s.duplicates, s.excused)
	case bytes > int(s.limits.Bytes):
		r.Fatalf("%d bytes are in flight", bytes)
	case len(s.inFlight) > s.limits.InFlight || d.inFlight != len(s.inFlight):
		r.Fatalf("%d messages are in flight, the desk counts %d", len(s.inFlight), d.inFlight)
	}
}

// quiet lets everything come to its end: there is one, and nothing is left behind.
func (s *sim) quiet() {
	s.unread, s.locked = append(s.unread, s.locked...), nil
	s.saving = nil
	for round := 0; !s.atRest(); round++ {
		if round > 200+4*len(s.log) {
			s.Fatalf("it does not come to rest: %d of %d rows are passed, %d exposed, parked %v",
				s.saved, len(s.log), s.desk.exposed, len(s.parked))
		}
		s.turn()
	}
	s.turn() // saves the last
	s.nothingIsLost()
	s.nothingIsLeft()
}

// turn lets each part go on once.
func (s *sim) turn() {
	s.readRows(5)
	for s.callNext() {
	}
	for _, e := range s.calls {
		s.desk.Answered(e, Message{})
	}
	s.calls = nil
	for s.sendNext() {
	}
	for len(s.inFlight) > 0 {
		s.answered(0, "")
	}
	s.saveNow()
	s.hear(s.T)
	if s.found == nil && s.asking {
		s.look(s.T)
	}
	switch {
	case s.found != nil:
		s.takeFound(s.T)
	case s.reloading && s.desk.open.len() == 0 && s.desk.inFlight == 0:
		s.reload(s.T)
	case !s.reloading && s.desk.WantsDue():
		s.ask(s.T)
	}
	s.now++
	s.check(s.T)
}

func (s *sim) atRest() bool {
	for id, p := range s.parked {
		behind := s.inTheWay(s.rows[id].key)
		waits := p.state == Waiting && behind[0].state == Dead
		if p.state != Dead && p.state != CallDead && p.state != Discarded && !waits {
			return false
		}
	}
	return len(s.unread) == 0 && s.saved == len(s.log) && s.read == len(s.log) && s.since == s.version && !s.asking
}

func (s *sim) nothingIsLost() {
	for _, row := range s.log {
		if row.delivered < row.wanted && s.parked[row.id] == nil {
			s.Fatalf("message %d is lost: it came %d times, want %d", row.id, row.delivered, row.wanted)
		}
	}
}

func (s *sim) nothingIsLeft() {
	s.hear(s.T)
	d := s.desk
	if n := len(d.lanes) + len(d.ready) + len(d.shelved) + len(d.unwritten) + d.parkings + d.exposed + d.inFlight + int(d.flying) + int(d.bytes) + len(d.away) + d.calls.len() + d.answers.len(); n != 0 {
		s.Fatalf("the desk does not forget: %d lanes, %d ready, %d shelved, %d unwritten, %d parkings, %d exposed, %d in flight, %d bytes flying, %d open",
			len(d.lanes), len(d.ready), len(d.shelved), len(d.unwritten), d.parkings, d.exposed, d.inFlight, d.flying, d.bytes)
	}
	for _, key := range s.blocked() {
		if !d.blocked[key] {
			s.Fatalf("aggregate %s waits, and the desk does not know", key)
		}
		delete(d.blocked, key)
	}
	if len(d.blocked) > 0 {
		s.Fatalf("the desk parks messages of aggregates that wait for nothing: %v", d.blocked)
	}
}
