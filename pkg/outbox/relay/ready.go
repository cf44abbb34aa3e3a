package relay

// ready are the entries that may be sent, the oldest on top: the position can pass
// nothing before the oldest is confirmed. It is a container/heap.
type ready []*entry

func (r ready) Len() int           { return len(r) }
func (r ready) Less(i, j int) bool { return r[i].record.Position < r[j].record.Position }
func (r ready) Swap(i, j int)      { r[i], r[j] = r[j], r[i] }

// Push implements heap.Interface.
func (r *ready) Push(e any) { *r = append(*r, e.(*entry)) }

// Pop implements heap.Interface.
func (r *ready) Pop() any {
	last := len(*r) - 1
	e := (*r)[last]
	(*r)[last] = nil
	*r = (*r)[:last]
	return e
}
