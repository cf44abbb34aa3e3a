package webhook

import "time"

// schedule is the pauses between calls, those that Standard Webhooks 1.0 proposes.
var schedule = []time.Duration{
	5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour, 10 * time.Hour, 14 * time.Hour, 20 * time.Hour, 24 * time.Hour,
}

// longest is the most that a receiver may ask to wait.
const longest = 24 * time.Hour

// next is when to call again after so many failures, the receiver having asked for a pause;
// over says that this was the last one. random is in [0,1).
func next(failures int, asked time.Duration, random float64) (pause time.Duration, over bool) {
	if failures > len(schedule) {
		return 0, true
	}
	pause = schedule[failures-1]
	pause = time.Duration(float64(pause) * (0.9 + random/5))
	return max(pause, min(asked, longest)), false
}
