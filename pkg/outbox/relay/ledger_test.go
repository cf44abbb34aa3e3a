package relay

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"go.example/saga/pkg/outbox"
	"go.example/saga/pkg/outbox/outboxpg"
)

// message is an entry of the aggregate k.
func message(id int64) *entry {
	return &entry{record: &outbox.Record{Position: id, Message: outbox.Message{AggregateID: "k", Exchange: "x", RoutingKey: "r"}}}
}

func parking(id int64) outboxpg.Parking {
	return outboxpg.Parking{Record: message(id).record, State: outboxpg.Retry}
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
	l.put(written{publishedID: 2, passed: 2, parked: []outboxpg.Parking{parking(1)}, unparked: []*entry{message(7)}})
	saving, _ := l.due()
	l.put(written{publishedID: 5, passed: 3, parked: []outboxpg.Parking{parking(4)}, unparked: []*entry{message(8)}})
	require.False(t, l.empty())

	l.settle(saving, outboxpg.Saved{Blocked: []string{"k"}, ParkedVersion: 3})
	require.True(t, rung(l.saved))
	require.Equal(t, []result{{saving, []string{"k"}, 3}}, l.collect())
	require.Empty(t, l.collect(), "once")

	rest, progress := l.due()
	require.Equal(t, 3, rest.passed)
	require.Equal(t, []outboxpg.Parking{parking(4)}, progress.Parked)
	require.Equal(t, []int64{8}, progress.Unparked)
	require.EqualValues(t, 5, progress.PublishedID)
	l.settle(rest, outboxpg.Saved{})
	require.True(t, l.empty())
}

func TestLedgerNamesEachAggregateAndDestinationOnce(t *testing.T) {
	t.Parallel()
	l := newLedger(outboxpg.Position{}, 100)
	there := outboxpg.Destination{Exchange: "x", RoutingKey: "r"}
	l.put(written{
		parked: []outboxpg.Parking{parking(1)}, unparked: []*entry{message(2), message(3)},
		recovered: []outboxpg.Destination{there, {RoutingKey: "q"}, there},
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
	l.put(written{passed: 1})
	require.True(t, rung(l.changed))
	require.False(t, rung(l.hurry))
	l.put(written{passed: 7})
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
	h.ledger.put(written{passed: 3, parked: []outboxpg.Parking{parking(1)}})
	go func() { // the keeper
		<-h.ledger.hurry
		w, _ := h.ledger.due()
		h.ledger.settle(w, outboxpg.Saved{})
	}()
	require.True(t, h.flush())
	require.Empty(t, h.ledger.collect())

	h.ledger.put(written{passed: 1})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	h.ctx = ctx
	require.False(t, h.flush(), "nobody saves it any more")
}
