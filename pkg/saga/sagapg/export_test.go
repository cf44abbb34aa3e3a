package sagapg

import "time"

// Args are the arguments of find.sql, for tests that look at its plan.
func (s Selection) Args() []any { return s.args() }

// Every sets how long the gate goes by what it saw, and returns what it was.
func (g *Gate) Every(d time.Duration) (before time.Duration) {
	before, g.every = g.every, d
	return before
}
