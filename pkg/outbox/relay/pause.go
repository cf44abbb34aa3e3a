package relay

import (
	"context"
	"time"

	"github.com/cenkalti/backoff/v5"

	"go.example/saga/pkg/outbox"
)

const (
	// A broker or database that is back is used again within two seconds.
	firstRetry = 100 * time.Millisecond
	lastRetry  = 1500 * time.Millisecond
	// standbyPause is how often a standby asks for the lease.
	standbyPause = 500 * time.Millisecond
	// blockedPause is how often a blocked broker is looked at.
	blockedPause = 50 * time.Millisecond
)

func newBackOff() *backoff.ExponentialBackOff {
	b := backoff.NewExponentialBackOff()
	b.InitialInterval, b.MaxInterval = firstRetry, lastRetry
	b.RandomizationFactor = 0.3
	return b
}

const (
	// A database that answers with an error is asked again soon enough for who mends it.
	refusedPause = 5 * time.Second
	// Where messages were sent and that could not be written down, the next turn may send
	// them again, so turns become rare.
	unwrittenPause = time.Minute
)

// pauses are those between the turns of an engine. They grow until something is saved.
type pauses struct{ outage, refusal *backoff.ExponentialBackOff }

func newPauses() pauses {
	p := pauses{newBackOff(), newBackOff()}
	p.refusal.MaxInterval = unwrittenPause
	return p
}

func (p pauses) reset() {
	p.outage.Reset()
	p.refusal.Reset()
}

func (p pauses) next(state State, unwritten bool) time.Duration {
	if state != NoRights && state != DatabaseError {
		return p.outage.NextBackOff()
	}
	pause := p.refusal.NextBackOff()
	if unwritten {
		return pause
	}
	return min(pause, refusedPause)
}

const (
	minPoll = 2 * time.Millisecond
	maxPoll = 200 * time.Millisecond
	// idleShare: wait an eighth of the time that the log has been quiet.
	idleShare = 8
	// minPollRung is a little more than writers let pass between two announcements.
	minPollRung = outbox.AnnounceEvery + time.Millisecond
)

// hearing is what the bell tells of commits.
type hearing int

const (
	hearsNone hearing = iota
	hearsSome         // others were, or may be, committed without a ring
	hearsAll
)

func hears(listening, some bool) hearing {
	switch {
	case !listening:
		return hearsNone
	case some:
		return hearsSome
	}
	return hearsAll
}

// pollPause is the wait before the next look at a log that has brought nothing
// for idle. A step of a saga follows the one before it after some milliseconds,
// so a log that was busy just now is looked at again soon: a message waits at
// most an eighth of the quiet before it.
//
// Where the bell is heard, looks are for what was committed without ringing it: they come
// after the time in which writers do not ring twice, and then a quarter as often each
// time. Looks keep others from the processor just when a saga is on its way, so there are
// none where each commit rings. A log that is
// quiet for long costs five looks a second, measured at less than a hundredth of a
// core; without a bell its first message waits a tenth of a second on average.
func pollPause(idle time.Duration, h hearing) time.Duration {
	switch h {
	case hearsAll:
		return maxPoll
	case hearsSome:
		return min(max(3*idle, minPollRung), maxPoll)
	case hearsNone:
	}
	return min(max(idle/idleShare, minPoll), maxPoll)
}

const (
	// lingerFor is how long at most what is committed is left to gather under load: a look
	// and all that it sets off downstream, a delivery, a transaction and a flush, cost much
	// the same for one message as for twenty.
	lingerFor = 30 * time.Millisecond
	// gather is how many messages are waited for.
	gather = 64
	// lingerFrom is the load, in messages a second: from there on a wait brings enough.
	lingerFrom = 800
)

// linger is how long to wait for more at so many messages a second; not at all
// without load.
func linger(perSecond float64) time.Duration {
	if perSecond < lingerFrom {
		return 0
	}
	return min(lingerFor, time.Duration(gather/perSecond*float64(time.Second)))
}

// sleep waits, and reports whether the time passed before ctx was done.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
