package relay

// deskLimits bound what is in work.
type deskLimits struct {
	window   int   // messages that a crash may repeat
	inFlight int   // messages with the broker
	bytes    int64 // payloads of messages with the broker
	open     int   // messages read and not passed
}

// wantsPage says whether there is room for another page of the log.
func (d *desk) wantsPage() bool {
	return d.open.len() < d.limits.open && d.bytes < d.limits.bytes && d.parkings < d.limits.open
}

// wantsDue says whether there is room for more parked messages.
func (d *desk) wantsDue() bool {
	return len(d.shelved) < d.limits.window && d.bytes < d.limits.bytes
}

// crowded says that the rest of the window, an eighth, is kept for the entry that the
// position waits for: others would fill it while that one's aggregate is dealt with
// one by one.
func (d *desk) crowded() bool { return d.exposed >= d.limits.window-d.limits.window/8 }

// awaited is the entry that the position waits for, if it is ready and there is room.
func (d *desk) awaited() *entry {
	if d.open.len() == 0 || d.exposed >= d.limits.window {
		return nil
	}
	first := d.open.front()
	if first.record == nil || first.place < 0 {
		return nil
	}
	return first
}

// gaps says that an entry is ready in front of one that was sent. The position cannot
// pass it, so that what was confirmed behind it would be repeated.
func (d *desk) gaps() bool { return len(d.ready) > 0 && d.ready[0].turn < d.last }

// full says that the database has to hear of the work done before more can be.
func (d *desk) full() bool { return len(d.ready) > 0 && d.crowded() }
