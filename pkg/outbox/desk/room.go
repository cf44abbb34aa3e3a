package desk

// Limits bound what is in work.
type Limits struct {
	Window   int   // messages that a crash may repeat
	InFlight int   // messages with the broker
	Bytes    int64 // sizes of messages with the broker
	Open     int   // messages read and not passed
}

// WantsPage says whether there is room for another page of the log.
func (d *Desk[R, P]) WantsPage() bool {
	return d.open.len() < d.limits.Open && d.bytes < d.limits.Bytes && d.parkings < d.limits.Open
}

// WantsDue says whether there is room for more parked messages.
func (d *Desk[R, P]) WantsDue() bool {
	return len(d.shelved) < d.limits.Window && d.bytes < d.limits.Bytes
}

// crowded says that the rest of the window, an eighth, is kept for the entry that the
// position waits for: others would fill it while that one's aggregate is dealt with
// one by one.
func (d *Desk[R, P]) crowded() bool { return d.exposed >= d.limits.Window-d.limits.Window/8 }

// awaited is the entry that the position waits for, if it is ready and there is room.
func (d *Desk[R, P]) awaited() *Entry[R, P] {
	if d.open.len() == 0 || d.exposed >= d.limits.Window {
		return nil
	}
	first := d.open.front()
	if first.empty || first.place < 0 {
		return nil
	}
	return first
}

// Gaps says that an entry is ready in front of one that was sent. The position cannot
// pass it, so that what was confirmed behind it would be repeated.
func (d *Desk[R, P]) Gaps() bool { return len(d.ready) > 0 && d.ready[0].turn < d.last }

// Full says that the database has to hear of the work done before more can be.
func (d *Desk[R, P]) Full() bool { return len(d.ready) > 0 && d.crowded() }
