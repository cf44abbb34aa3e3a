package inbox

import (
	"slices"
	"time"
)

// pickRepeated takes those that ask for work that waits, is in hand or held, for longer than a
// budget. They have no key: what they repeat has it.
func (d *dispatcher) pickRepeated(now time.Time) (h *hand, pause time.Duration, changed <-chan struct{}) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.waiting) == 0 {
		return nil, 0, d.changed
	}
	if young := d.oldest(now).Add(d.Budget).Sub(now); young > 0 && len(d.kept) == 0 {
		return nil, young, d.changed // as always where handlers are fast
	}
	begun := d.underWay()
	h = &hand{begun: now}
	for _, it := range d.waiting {
		before := begun[it.work]
		switch {
		case it.work == "":
		case before == nil:
			begun[it.work] = it
		case before.MessageID == it.MessageID: // it came again, and waits
		case now.Before(before.since.Add(d.Budget)) && !d.kept[before]:
			if left := before.since.Add(d.Budget).Sub(now); pause == 0 || left < pause {
				pause = left
			}
		case len(h.items) < d.MaxBatch:
			it.Repeated, it.taken, it.key = true, true, ""
			h.items = append(h.items, it)
		}
	}
	if len(h.items) == 0 {
		return nil, pause, d.changed
	}
	d.waiting = slices.DeleteFunc(d.waiting, func(it *item) bool { return it.taken })
	return h, 0, nil
}

// oldest is when the first of those arrived that wait or are in hand; now where there is none.
func (d *dispatcher) oldest(now time.Time) time.Time {
	first := now
	for _, it := range d.waiting[:min(1, len(d.waiting))] {
		first = it.since
	}
	for h := range d.hands {
		for _, it := range h.items {
			if it.since.Before(first) {
				first = it.since
			}
		}
	}
	return first
}

// underWay is what is in hand or held, by the work that it asks for.
func (d *dispatcher) underWay() map[string]*item {
	begun := map[string]*item{}
	for it := range d.kept {
		if !it.Repeated {
			begun[it.work] = it
		}
	}
	for h := range d.hands {
		for _, it := range h.items {
			begun[it.work] = it
		}
	}
	return begun
}
