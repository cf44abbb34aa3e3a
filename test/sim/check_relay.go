package sim

// checkPublished holds what must be true of a message when it is given to the broker.
func (w *world) checkPublished(s, id int) {
	m := w.services[s].row(id)
	switch {
	case m.commit == 0:
		w.failRelay(s, invUncommitted, "message %d", id)
	case m.known || m.sent:
		w.failRelay(s, invRepeated, "message %d, and nothing has crashed", id)
	case m.later > w.now:
		w.failRelay(s, invEarly, "message %d", id)
	}
}

// checkOrder holds that those before it of its aggregate are with the broker.
func (w *world) checkOrder(s, id int) {
	m := w.services[s].row(id)
	if m.before > 0 && !w.services[s].row(m.before).stored {
		w.failRelay(s, invOrder, "message %d, of %s, overtakes %d", id, aggregateNames[m.aggregate], m.before)
	}
}

// checkRepeated counts, after a crash, what may be published once more.
func (w *world) checkRepeated(s int) {
	exposed := 0
	v := &w.services[s]
	from := v.low + 1
	if v.parked > 0 {
		from = 1
	}
	for id := from; id <= len(v.log); id++ {
		if m := v.row(id); m.sent {
			exposed++
			m.sent = false
		}
	}
	if exposed > w.swarm.limits.Window {
		w.failRelay(s, invRepeated, "%d messages may be after a crash, the window is %d", exposed, w.swarm.limits.Window)
	}
}

// checkLost holds, at the end, that everything committed is published and known to be.
func (w *world) checkLost() {
	for s := range w.services {
		v := &w.services[s]
		for id := 1; id <= len(v.log); id++ {
			switch m := v.row(id); {
			case m.commit == 0:
			case !m.stored:
				w.failRelay(s, invLost, "message %d was never published", id)
			case !m.known || m.park != "":
				w.failRelay(s, invLost, "message %d is published, and the database does not know", id)
			}
		}
	}
}
