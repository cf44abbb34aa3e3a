package sagapg

// Args are the arguments of find.sql, for tests that look at its plan.
func (s Selection) Args() []any { return s.args() }
