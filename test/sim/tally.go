package sim

import (
	"fmt"

	"go.example/saga/pkg/saga"
)

// Tally counts what schedules came to, so that a run cannot pass for want of faults.
type Tally struct {
	Schedules    int
	Appointments int
	Completed    int
	Aborted      int
	Killed       int
	Moved        int // to another version of the definition
	Helped       int // needed the operator after everything had healed
	Faults       [faults]int
	Deaths       [turns]int // of relays, by what they were to do
}

func (w *world) count() {
	w.tally.Schedules++
	w.tally.Appointments += w.passed
	for i := range w.sagas {
		switch w.rows[i].state.Status {
		case saga.StatusCompleted:
			w.tally.Completed++
		case saga.StatusAborted:
			w.tally.Aborted++
		case saga.StatusKilled:
			w.tally.Killed++
		case saga.StatusStarted, saga.StatusAborting, saga.StatusParked:
		}
		if w.rows[i].helped > 0 {
			w.tally.Helped++
		}
	}
}

// add sums two tallies.
func (t *Tally) add(o *Tally) {
	t.Schedules += o.Schedules
	t.Appointments += o.Appointments
	t.Completed += o.Completed
	t.Aborted += o.Aborted
	t.Killed += o.Killed
	t.Helped += o.Helped
	t.Moved += o.Moved
	for f, n := range o.Faults {
		t.Faults[f] += n
	}
	for next, n := range o.Deaths {
		t.Deaths[next] += n
	}
}

// Missing names the faults and ends that never came about, and at which steps no relay died.
func (t *Tally) Missing() (names []string) {
	for f, n := range t.Faults {
		if n == 0 {
			names = append(names, faultNames[f])
		}
	}
	for next, n := range t.Deaths {
		if n == 0 && turn(next) != toStart {
			names = append(names, "a relay that dies when it is to "+turnNames[next])
		}
	}
	for name, n := range map[string]int{"completed": t.Completed, "aborted": t.Aborted, "killed": t.Killed, "helped": t.Helped, "moved": t.Moved} {
		if n == 0 {
			names = append(names, name)
		}
	}
	return names
}

// String is one line.
func (t *Tally) String() string {
	s := fmt.Sprintf("%d completed, %d aborted, %d killed, %d helped, %d moved; %d appointments", t.Completed, t.Aborted, t.Killed, t.Helped, t.Moved, t.Appointments)
	for f, n := range t.Faults {
		s += fmt.Sprintf(", %s %d", faultNames[f], n)
	}
	return s
}
