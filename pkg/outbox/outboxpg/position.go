package outboxpg

import "go.example/saga/pkg/outbox"

// Position is a place in the log, between two rows. The zero value is no place;
// the first comes from [Tenure.Position].
type Position struct {
	settled string // S1, a pg_snapshot in its text form: all rows it sees are published
	window  string // S2, where the open window ends; empty when none is open
	lastID  int64  // rows of the window up to this id are published
}

// Page is a run of rows of one window, in the order of their ids.
type Page struct {
	Records []*outbox.Record
	start   Position
	end     Position
}

// After is the place behind the page's record i.
func (p Page) After(i int) Position {
	if i == len(p.Records)-1 {
		return p.end
	}
	return Position{settled: p.start.settled, window: p.start.window, lastID: p.Records[i].Position}
}

// End is the place behind the page. An empty page has one too: the log was found
// to hold nothing new, and need not be searched up to there again.
func (p Page) End() Position { return p.end }

// Last says whether the page ends its window: what comes next was committed later.
func (p Page) Last() bool { return p.end.window == "" }
