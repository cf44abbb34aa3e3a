package inbox

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"go.uber.org/zap"

	"go.example/saga/pkg/inbox/blame"
	sagasql "go.example/saga/sql"
)

// ErrCircuitOpen marks the trouble of a consumer that gives deliveries back, because
// several failed one after another and none committed. The error has the reason of the
// failure, with its SQLSTATE.
var ErrCircuitOpen = errors.New("the circuit is open: deliveries are given back, and one is tried every few seconds")

// judge is the rule for one consumer. It is safe for concurrent use.
type judge struct {
	mu    sync.Mutex
	blame *blame.State
	why   error // the last failure that opened the circuit or kept it open
}

// ask has the rule decide, and keeps why where the circuit is open.
func (j *judge) ask(err error, decide func(*blame.State, time.Time) blame.Verdict) (v blame.Verdict, opened bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	before := j.blame.Open()
	v = decide(j.blame, time.Now())
	if v.Do == blame.GiveBack && err != nil {
		j.why = err
	}
	return v, j.blame.Open() && !before
}

// tell has the rule know, and returns whether that has closed the circuit.
func (j *judge) tell(know func(*blame.State)) (closed bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	before := j.blame.Open()
	know(j.blame)
	return before && !j.blame.Open()
}

// suspended is nil while the circuit is closed.
func (j *judge) suspended() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if !j.blame.Open() {
		return nil
	}
	return fmt.Errorf("%w, since %s; the last failure: %w", ErrCircuitOpen, j.blame.Opened().UTC().Format(time.RFC3339), j.why)
}

// probeIn is how long it is until the next probe; 0 while the circuit is closed.
func (j *judge) probeIn() time.Duration {
	j.mu.Lock()
	defer j.mu.Unlock()
	if !j.blame.Open() {
		return 0
	}
	return time.Until(j.blame.NextProbe())
}

// separate takes out the messages that have failed alone before.
func (j *judge) separate(ds []Delivery, places []int) (others, held []int, err error) {
	if err := j.suspended(); err != nil {
		return nil, nil, err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if !j.blame.Suspects() {
		return places, nil, nil
	}
	for _, place := range places {
		if v := j.blame.Arrived(keyOf(ds[place])); v.Do == blame.Hold {
			held = append(held, place)
		} else {
			others = append(others, place)
		}
	}
	return others, held, nil
}

// cameAgain is when a message is tried that was delivered before.
func (c *consumer) cameAgain(d Delivery) time.Time {
	v, _ := c.judge.ask(nil, func(b *blame.State, now time.Time) blame.Verdict { return b.CameAgain(keyOf(d), now) })
	return v.At
}

// worked tells the rule that the deliveries' work is durable.
func (c *consumer) worked(ds []Delivery) {
	closed := c.judge.tell(func(b *blame.State) {
		var keys []blame.Key
		if b.Suspects() {
			keys = keysOf(ds)
		}
		b.Committed(keys...)
	})
	if closed {
		c.Log.Info("the circuit is closed: a message has committed")
	}
}

// judged asks the rule about a failure, and tells those who should know. The error is
// that the circuit is open.
func (c *consumer) judged(ctx context.Context, ds []Delivery, f *failure) (blame.Verdict, error) {
	f.err = sagasql.ExplainRights(ctx, c.DB, c.Schema, f.err, c.Rights...)
	before := f.reached && len(ds) == 1 && c.setAsideBefore(ctx, ds[0])
	v, opened := c.judge.ask(f.err, func(b *blame.State, now time.Time) blame.Verdict {
		switch {
		case !f.reached:
			return b.Unreached(now)
		case len(ds) > 1:
			return b.FailedTogether()
		case before:
			return b.FailedAgain(keyOf(ds[0]), now)
		}
		return b.FailedAlone(keyOf(ds[0]), now)
	})
	log := c.Log.With(zap.Error(f.err), zap.String("sqlstate", sqlState(f.err)), zap.Int("deliveries", len(ds)))
	if len(ds) == 1 {
		log = log.With(zap.String("message_id", ds[0].MessageID))
	}
	if !f.reached || v.Outage {
		c.trouble.ofWork(f.err)
	}
	if v.Do == blame.GiveBack {
		err := c.judge.suspended()
		if err == nil { // another has committed meanwhile
			err = fmt.Errorf("give deliveries back: %w", f.err)
		}
		if opened {
			log.Error("the circuit is open: different messages fail and none commits; deliveries are given back", zap.Time("probe_at", v.At))
		} else {
			log.Warn("the circuit stays open: a probe failed", zap.Time("probe_at", v.At))
		}
		return v, err
	}
	log.Warn("a transaction failed", zap.Bool("alone", f.reached && len(ds) == 1))
	return v, nil
}

func keyOf(d Delivery) blame.Key { return blame.KeyOf(d.MessageID, d.Body) }

func keysOf(ds []Delivery) []blame.Key {
	keys := make([]blame.Key, len(ds))
	for i, d := range ds {
		keys[i] = keyOf(d)
	}
	return keys
}

func sqlState(err error) string {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code
	}
	return ""
}
