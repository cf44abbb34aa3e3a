package sim

import (
	"time"

	"go.example/saga/pkg/inbox/blame"
)

const (
	inboxBatch   = 4 // deliveries of one transaction
	inboxWindow  = 8 // the prefetch of a session
	inboxTables  = 3 // that messages are about
	ofQuarantine = inboxTables
	ofAll        = inboxTables + 1 // the database fails with all of its tables
	unreachable  = inboxTables + 2 // no transaction can be begun
	outageKinds  = inboxTables + 3
	maxProcesses = 2
	// maxInboxSteps is how many may pass before a schedule counts as endless.
	maxInboxSteps = 60_000
)

// letterKind is what is the matter with a message.
type letterKind uint8

const (
	goodLetter letterKind = iota
	poisonLetter
	killerLetter     // it ends the process
	unreadableLetter // and stays so
)

// letter is a message that somebody has published once.
type letter struct {
	number  int
	key     blame.Key
	kind    letterKind
	table   int
	copies  int  // in the queue
	done    bool // its work is durable
	rows    [rowOwners]letterRow
	arrives time.Duration
}

// copyOf is a letter in the queue. It comes again, with its place kept, when it was not
// acknowledged.
type copyOf struct {
	letter *letter
	again  bool
	count  int           // how often it came back
	holder *process      // whose window it is in
	held   bool          // it failed alone and is tried alone
	due    time.Duration // not before
	taken  time.Duration // into the window
}

// outage is a time in which a table fails, or more.
type outage struct {
	kind     int
	from, to time.Duration
}

// inboxWorld is one schedule of a queue, the processes that consume it and their database.
// Who is to blame is decided by a real [blame.State] in each process, and what becomes of
// what was set aside by the real [blame.Plan]. The rest has the shape of package inbox.
type inboxWorld struct {
	choices
	now       time.Duration
	healed    bool // nothing fails but by its own fault
	mended    bool // nothing fails
	swarm     inboxSwarm
	letters   []*letter
	coming    []*letter // of letters, not published yet
	queue     []*copyOf
	aside     []*letter // of which a row may be held
	outages   []outage
	processes []*process
	steps     int
	lives     uint64 // of processes

	broken *Violation
	told   *account
	tally  *InboxTally
}

// inboxSwarm says which faults a schedule has and how often.
type inboxSwarm struct {
	crash, lost, refusing, slow odds
	limit                       int // of deliveries, by the broker
	every                       time.Duration
	killer                      bool
}

func (w *inboxWorld) draws() *choices         { return &w.choices }
func (w *inboxWorld) listen(to *account)      { w.told = to }
func (w *inboxWorld) worth() int              { return 1000 }
func (w *inboxWorld) clock() time.Time        { return epoch.Add(w.now) }
func (w *inboxWorld) tell(f string, a ...any) { w.told.add(w.now, f, a...) }

// play runs one schedule: at first all fails that can, then only what is bad by itself, and
// at last its causes are mended too.
func (w *inboxWorld) play() *Violation {
	*w = inboxWorld{choices: w.choices, told: w.told, tally: w.tally}
	w.drawInboxSwarm()
	trouble := w.drawOutages()
	calm := trouble + 25*time.Minute
	w.drawLetters(trouble, calm)
	for i := range 1 + w.below(maxProcesses) {
		w.processes = append(w.processes, &process{number: i + 1})
	}
	w.playUntil(trouble)
	w.healed = true
	w.tell("the outages are over")
	w.playUntil(calm)
	w.checkCalm(trouble)
	if !w.swarm.killer && w.below(4) == 3 {
		w.playUntil(calm + 27*time.Hour)
		w.checkDead()
	}
	w.mended = true
	w.tell("the causes are mended, and an operator says retry of what is dead")
	w.retryDead()
	w.playUntil(w.now + 27*time.Hour)
	w.checkInboxEnd()
	w.tally.Schedules++
	return w.broken
}

func (w *inboxWorld) drawInboxSwarm() {
	level := func() odds { return levels[w.below(len(levels))] / 8 }
	w.swarm = inboxSwarm{crash: level(), lost: level(), refusing: level() * 8, slow: level()}
	w.swarm.limit = [...]int{100_000, 30}[w.below(2)]
	w.swarm.every = time.Duration(5+w.below(6)) * time.Second
}

// drawOutages returns when the last is over.
func (w *inboxWorld) drawOutages() (end time.Duration) {
	for range w.below(4) {
		from := end + time.Duration(w.below(200))*time.Second
		length := time.Duration(1+w.below(59)) * time.Second
		if w.below(2) == 1 {
			length = time.Duration(1+w.below(60)) * time.Minute
		}
		end = from + length
		w.outages = append(w.outages, outage{w.below(outageKinds), from, end})
	}
	return end + time.Minute
}

// drawLetters has good ones come all the time, and bad ones in between until the outages are
// over. Those that fail do not fill the window: as long as nobody has seen them failing beside
// others they could not be told from an outage. One at most ends the process. Then they are
// fewer, because what is known of them is lost each time.
func (w *inboxWorld) drawLetters(trouble, calm time.Duration) {
	bad := odds(max(0, 8*(w.below(8)-3)))
	killers := w.below(3) == 2
	every := max(w.swarm.every, trouble/100) // a long outage is not worth more letters
	room := inboxWindow - 3
	for at := time.Duration(0); at < calm; at += every {
		l := &letter{number: len(w.letters) + 1, table: w.below(inboxTables), arrives: at}
		if at < trouble && w.happens(bad) {
			l.kind = w.drawBad(killers, &room)
		}
		l.key = blame.KeyOf(l.String(), nil)
		w.letters = append(w.letters, l)
		if at > trouble || w.swarm.killer {
			every = max(w.swarm.every, trouble/100)
		}
	}
	w.coming = w.letters
}

func (w *inboxWorld) drawBad(killers bool, room *int) letterKind {
	switch {
	case w.below(3) == 2 || *room == 0:
		return unreadableLetter
	case killers && !w.swarm.killer:
		w.swarm.killer = true
		w.swarm.every *= 5 // each time it costs seconds
		*room = min(*room, 3)
		return killerLetter
	}
	*room--
	return poisonLetter
}

// arrive publishes those whose time has come.
func (w *inboxWorld) arrive() {
	for len(w.coming) > 0 && w.coming[0].arrives <= w.now {
		w.publish(w.coming[0])
		w.coming = w.coming[1:]
	}
}

// publish puts a message into the queue.
func (w *inboxWorld) publish(l *letter) {
	l.copies++
	w.queue = append(w.queue, &copyOf{letter: l})
}

// playUntil lets the processes do what they have to until then.
func (w *inboxWorld) playUntil(end time.Duration) {
	for w.broken == nil {
		next := w.processes[0]
		for _, p := range w.processes[1:] {
			if p.next < next.next {
				next = p
			}
		}
		if next.next > end {
			w.now = end
			return
		}
		if w.steps++; w.steps > maxInboxSteps {
			w.fail(invProgress, "the consumers go on for ever")
			return
		}
		w.now = max(w.now, next.next)
		w.arrive()
		w.step(next)
		next.next = max(next.next, w.now)
	}
}

// strikes draws whether a fault comes about.
func (w *inboxWorld) strikes(o odds, f inboxFault) bool {
	if w.healed || !w.happens(o) {
		return false
	}
	w.tally.Faults[f]++
	return true
}

// fails says whether a table does now, or all do.
func (w *inboxWorld) fails(table int) bool {
	for _, o := range w.outages {
		if w.now >= o.from && w.now < o.to && (o.kind == table || o.kind == ofAll) {
			w.tally.Faults[faultOutage]++
			return true
		}
	}
	return false
}

func (w *inboxWorld) unreachable() bool {
	for _, o := range w.outages {
		if o.kind == unreachable && w.now >= o.from && w.now < o.to {
			w.tally.Faults[faultUnreachable]++
			return true
		}
	}
	return false
}
