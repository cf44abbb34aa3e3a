package relay

// ready are the entries that may be sent, the one that came first on top: the position
// can pass nothing before the first is confirmed. Not the lowest id is first: what was
// committed late has lower ids than the window before it. It is a container/heap.
type ready []*entry

func (r ready) Len() int           { return len(r) }
func (r ready) Less(i, j int) bool { return r[i].turn < r[j].turn }

func (r ready) Swap(i, j int) {
	r[i], r[j] = r[j], r[i]
	r[i].place, r[j].place = i, j
}

// Push implements heap.Interface.
func (r *ready) Push(e any) {
	e.(*entry).place = len(*r)
	*r = append(*r, e.(*entry))
}

// Pop implements heap.Interface.
func (r *ready) Pop() any {
	last := len(*r) - 1
	e := (*r)[last]
	(*r)[last] = nil
	*r = (*r)[:last]
	e.place = -1
	return e
}
