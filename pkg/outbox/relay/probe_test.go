package relay

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go.example/saga/pkg/outbox"
)

func TestDoubts(t *testing.T) {
	t.Parallel()
	fatal := fmt.Errorf("message 1: %w", outbox.ErrFatal)
	missing := fmt.Errorf("message 1: %w: %w", outbox.ErrFatal, outbox.ErrNoExchange)
	for _, c := range []struct {
		what     string
		learned  []error
		doubted  bool
		standing bool
	}{
		{"nothing is known", nil, false, false},
		{"one may be the message's fault", []error{fatal}, true, false},
		{"two in a row are the exchange's", []error{fatal, fatal}, true, true},
		{"not in a row", []error{fatal, nil, fatal}, true, false},
		{"an exchange that is not there", []error{missing}, true, true},
		{"taken", []error{missing, nil}, false, false},
		{"returned: it exists", []error{missing, outbox.ErrUnroutable}, false, false},
		{"nacked", []error{missing, outbox.ErrNacked}, false, false},
		{"not sent", []error{missing, outbox.ErrUnpublishable}, true, true},
		{"no answer", []error{missing, errNoConfirm}, true, true},
	} {
		d := &doubts{exchanges: map[string]doubt{}}
		now := time.Now()
		for _, err := range c.learned {
			d.learn("x", err, now)
		}
		require.Equal(t, c.doubted, d.about("x"), c.what)
		require.Equal(t, c.standing, d.standing("x", now.Add(standingFor-1)) != nil, c.what)
		require.NoError(t, d.standing("x", now.Add(standingFor)), "%s: it is asked again", c.what)
		require.False(t, d.about("y"), c.what)
	}
}

func TestSuspectsAreSentAlone(t *testing.T) {
	t.Parallel()
	s := &stream{hold: &hold{Engine: &Engine{suspects: map[int64]bool{}, doubts: &doubts{exchanges: map[string]doubt{}}}}}
	entries := entries(1, 2, 3)
	s.suspect([]answer{{entry: entries[0]}, {entry: entries[1], alone: true}})
	require.True(t, s.mustBeAlone(entries[0]))
	require.False(t, s.mustBeAlone(entries[1]), "it was alone already, and so is no suspect")
	require.False(t, s.mustBeAlone(entries[2]))
	s.doubts.learn("x", outbox.ErrFatal, time.Now())
	require.True(t, s.mustBeAlone(entries[2]), "its exchange is in doubt")
}

// Where a suspect's own session cannot be had, its outcome is unknown: the turn ends,
// and the next one tries again.
func TestASuspectWithoutASessionIsTriedAgain(t *testing.T) {
	b := setup(t)
	got := b.consumeQueue()
	cfg := b.config("one")
	open := cfg.Open
	var opened atomic.Int64
	cfg.Open = func(ctx context.Context) (Publisher, error) {
		if opened.Add(1) == 3 { // the first one breaks, the second is the next turn's
			return nil, errors.New("too many connections")
		}
		return open(ctx)
	}
	b.insertTo("no.such.exchange", "key", "", 50, 51)
	b.start(cfg, quickly)
	b.awaitParked("m50 retry fatal")
	b.insert(0, 50)
	b.awaitFirsts(got, names(0, 50))
}
