package desk

import "slices"

// Written is what has to be written down of the work done: all of it or nothing.
type Written[R, P any] struct {
	Position    P     // up to which everything is published or parked
	PublishedID int64 // the highest of the log that was confirmed
	Passed      int   // sent entries of the log that the position passed
	Called      int   // called ones
	// Parked are those to set aside, or that have failed once more, see
	// [Entry.Parking]; Unparked those that were set aside and are confirmed.
	Parked, Unparked []*Entry[R, P]
	Recovered        []Destination // took a message which they had refused before
}

// Size is the number of messages that there is something to write of.
func (w *Written[R, P]) Size() int { return w.Passed + w.Called + len(w.Parked) + len(w.Unparked) }

// Add takes over what was done later.
func (w *Written[R, P]) Add(later Written[R, P]) {
	w.Position, w.PublishedID = later.Position, max(w.PublishedID, later.PublishedID)
	w.Passed += later.Passed
	w.Called += later.Called
	w.Parked = append(w.Parked, later.Parked...)
	w.Unparked = append(w.Unparked, later.Unparked...)
	w.Recovered = append(w.Recovered, later.Recovered...)
}

// Settle takes away what has been saved, which was the first part of it.
func (w *Written[R, P]) Settle(saved Written[R, P]) {
	w.Passed -= saved.Passed
	w.Called -= saved.Called
	w.Parked = slices.Clone(w.Parked[len(saved.Parked):])
	w.Unparked = slices.Clone(w.Unparked[len(saved.Unparked):])
	w.Recovered = slices.Clone(w.Recovered[len(saved.Recovered):])
}

// Touched are the aggregates of what is parked or no more, each once, sorted.
func (w *Written[R, P]) Touched() (keys []string) {
	for _, e := range w.Parked {
		keys = append(keys, e.Aggregate)
	}
	for _, e := range w.Unparked {
		keys = append(keys, e.Aggregate)
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// Parkings are the parkings to write, each message once, as it was set aside last.
func (w *Written[R, P]) Parkings() []Parking[R] {
	last := make(map[int64]int, len(w.Parked))
	for i, e := range w.Parked {
		last[e.ID] = i
	}
	parkings := make([]Parking[R], 0, len(last))
	for i, e := range w.Parked {
		if last[e.ID] == i {
			parkings = append(parkings, e.Parking())
		}
	}
	return parkings
}
