package relay

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"go.example/saga/pkg/outbox"
	"go.example/saga/pkg/outbox/desk"
	"go.example/saga/pkg/outbox/outboxpg"
)

// entries are messages of the aggregate k.
func entries(ids ...int64) (list []*entry) {
	for _, id := range ids {
		list = append(list, &entry{
			Message: desk.Message{ID: id, Aggregate: "k", To: desk.Destination{Exchange: "x"}}, Record: &outbox.Record{Position: id},
		})
	}
	return list
}

// parked is what a desk says when messages of the aggregate k are refused.
func parked(t *testing.T, ids ...int64) []*entry {
	t.Helper()
	limits := desk.Limits{Window: 8, InFlight: 8, Bytes: 1, Open: 8}
	d := desk.New[*outbox.Record](limits, desk.Policy{}, func() float64 { return 0 }, outboxpg.Position{}, nil)
	for _, id := range ids {
		r := &outbox.Record{Position: id, Message: outbox.Message{AggregateID: "k"}}
		d.Admit(desk.Message{ID: r.Position, Aggregate: r.AggregateID}, r, outboxpg.Position{})
	}
	d.Refused(d.Next(), desk.Nacked, "no")
	list := d.Take().Parked
	require.Len(t, list, len(ids))
	return list
}

func rung(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func TestLedgerKeepsWhatCameDuringASave(t *testing.T) {
	t.Parallel()
	l := newLedger(outboxpg.Position{}, 100)
	l.put(written{PublishedID: 2, Passed: 2, Parked: parked(t, 1), Unparked: entries(7)})
	saving, _ := l.due()
	l.put(written{PublishedID: 5, Passed: 3, Parked: parked(t, 4), Unparked: entries(8)})
	require.False(t, l.empty())

	l.settle(saving, outboxpg.Saved{Blocked: []string{"k"}, ParkedVersion: 3})
	require.True(t, rung(l.saved))
	require.Equal(t, []result{{saving, []string{"k"}, 3}}, l.collect())
	require.Empty(t, l.collect(), "once")

	rest, progress := l.due()
	require.Equal(t, 3, rest.Passed)
	require.Len(t, progress.Parked, 1)
	require.EqualValues(t, 4, progress.Parked[0].Record.Position)
	require.Equal(t, desk.Nacked, progress.Parked[0].Reason)
	require.EqualValues(t, 8, progress.Unparked[0].Position)
	require.Len(t, progress.Unparked, 1)
	require.EqualValues(t, 5, progress.PublishedID)
	l.settle(rest, outboxpg.Saved{})
	require.True(t, l.empty())
}

func TestLedgerNamesEachAggregateAndDestinationOnce(t *testing.T) {
	t.Parallel()
	l := newLedger(outboxpg.Position{}, 100)
	there := outboxpg.Destination{Exchange: "x", RoutingKey: "r"}
	l.put(written{
		Parked: parked(t, 1), Unparked: entries(2, 3),
		Recovered: []outboxpg.Destination{there, {RoutingKey: "q"}, there},
	})
	_, progress := l.due()
	require.Equal(t, []string{"k"}, progress.Touched)
	require.Equal(t, []outboxpg.Destination{there, {RoutingKey: "q"}}, progress.Recovered)
}

func TestLedgerWakesTheKeeper(t *testing.T) {
	t.Parallel()
	l := newLedger(outboxpg.Position{}, 8)
	l.put(written{})
	require.False(t, rung(l.changed), "a step over an empty stretch can wait")
	l.put(written{Passed: 1})
	require.True(t, rung(l.changed))
	require.False(t, rung(l.hurry))
	l.put(written{Passed: 7})
	require.True(t, rung(l.hurry), "the window is full")

	l.fail("why")
	require.True(t, rung(l.changed))
	l.fail("why")
	require.False(t, rung(l.changed), "no news")
	_, progress := l.due()
	require.Equal(t, "why", progress.LastError)
}

// What a former desk had saved is no news to the next one, which would count it twice.
func TestFlushForgetsTheResults(t *testing.T) {
	t.Parallel()
	h := &hold{ledger: newLedger(outboxpg.Position{}, 8), ctx: t.Context()}
	h.ledger.put(written{Passed: 3, Parked: parked(t, 1)})
	go func() { // the keeper
		<-h.ledger.hurry
		w, _ := h.ledger.due()
		h.ledger.settle(w, outboxpg.Saved{})
	}()
	require.True(t, h.flush())
	require.Empty(t, h.ledger.collect())

	h.ledger.put(written{Passed: 1})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	h.ctx = ctx
	require.False(t, h.flush(), "nobody saves it any more")
}
