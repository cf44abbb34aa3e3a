package desk

// ready are the entries that may be sent, the one that came first on top: the position
// can pass nothing before the first is confirmed. Not the lowest id is first: what was
// committed late has lower ids than the window before it. It is a container/heap.
type ready[R, P any] []*Entry[R, P]

func (r ready[R, P]) Len() int           { return len(r) }
func (r ready[R, P]) Less(i, j int) bool { return r[i].turn < r[j].turn }

func (r ready[R, P]) Swap(i, j int) {
	r[i], r[j] = r[j], r[i]
	r[i].place, r[j].place = i, j
}

// Push implements heap.Interface.
func (r *ready[R, P]) Push(e any) {
	e.(*Entry[R, P]).place = len(*r)
	*r = append(*r, e.(*Entry[R, P]))
}

// Pop implements heap.Interface.
func (r *ready[R, P]) Pop() any {
	last := len(*r) - 1
	e := (*r)[last]
	(*r)[last] = nil
	*r = (*r)[:last]
	e.place = -1
	return e
}
