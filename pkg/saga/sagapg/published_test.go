package sagapg

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go.example/saga/pkg/saga"
)

func TestSnapshotsSeeWhatHasCommitted(t *testing.T) {
	s, err := parseSnapshot("10:20:12,15")
	require.NoError(t, err)
	for xact, seen := range map[uint64]bool{3: true, 9: true, 11: true, 12: false, 15: false, 19: true, 20: false, 30: false} {
		require.Equal(t, seen, s.sees(xact), "%d", xact)
	}
	for _, text := range []string{"", "1", "1:2", "a:b:c", "1:2:x", "1:2:3:4"} {
		_, err := parseSnapshot(text)
		require.Error(t, err, text)
	}
}

// A publication is never taken to be earlier than it can have been, and hardly later:
// whatever is forgotten on the way.
func TestPublicationsAreRememberedForLong(t *testing.T) {
	var p Published
	start := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	shard := 0
	const looks = 50_000 // seven hours
	at := func(n int) time.Time { return start.Add(time.Duration(n) * 500 * time.Millisecond) }
	for n := range looks {
		require.NoError(t, p.note([]string{fmt.Sprintf("%d:%d:", 100+n, 100+n)}, at(n)))
	}
	now := at(looks - 1)
	require.Less(t, len(p.looks), 1000)
	for _, n := range []int{0, 1, 1000, looks / 2, looks - 1000, looks - 10, looks - 2} {
		xact := uint64(100 + n) // seen by the look after
		published := p.timer(sending{xact: &xact, shard: &shard}, now).Published
		require.False(t, published.Before(at(n+1)), "look %d", n)
		require.LessOrEqual(t, published.Sub(at(n+1)), time.Second+now.Sub(at(n))/resolution, "look %d", n)
	}
	unseen := uint64(100 + looks)
	require.Equal(t, saga.Timer{Published: now}, p.timer(sending{xact: &unseen, shard: &shard}, now))
	require.Equal(t, saga.Timer{}, p.timer(sending{}, now), "nobody can tell")

	require.NoError(t, p.note([]string{"9:9:", "9:9:"}, now.Add(time.Second)))
	require.Len(t, p.looks, 1, "other shards")
	require.NoError(t, p.note([]string{"9:9:", "9:9:"}, now))
	require.Len(t, p.looks, 1, "the clock has gone back")
}

// What the relay holds is told as held, what it has settled by the first look that saw it, and
// what cannot be judged not at all.
func TestATimerIsToldWhatTheRelayDid(t *testing.T) {
	now := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	var p Published
	for n := range 3 {
		require.NoError(t, p.note([]string{"5:5:", fmt.Sprintf("%d:%d:", 10+n, 10+n)}, now.Add(time.Duration(n)*time.Hour)))
	}
	require.Error(t, p.note([]string{"5:5:", "?"}, now.Add(2*time.Hour)))
	text, yes := func(s string) *string { return &s }, true
	xact, shard := func(n uint64) *uint64 { return &n }, func(n int) *int { return &n }
	later := now.Add(3 * time.Hour)
	for name, c := range map[string]struct {
		sent sending
		want saga.Timer
	}{
		"parked":                        {sending{held: text("relay"), xact: xact(1), shard: shard(1)}, saga.Timer{Held: "relay"}},
		"given up":                      {sending{held: text("dead"), dead: &yes}, saga.Timer{Held: "dead", Undeliverable: true}},
		"seen by the first look":        {sending{xact: xact(9), shard: shard(1)}, saga.Timer{Published: now}},
		"seen by the second":            {sending{xact: xact(10), shard: shard(1)}, saga.Timer{Published: now.Add(time.Hour)}},
		"of another shard":              {sending{xact: xact(10), shard: shard(0)}, saga.Timer{Published: later}},
		"of a shard that there is not":  {sending{xact: xact(1), shard: shard(2)}, saga.Timer{Published: later}},
		"of a transaction nobody knows": {sending{shard: shard(1)}, saga.Timer{}},
		"of a shard that nobody knows":  {sending{xact: xact(1)}, saga.Timer{}},
		"settled, but not seen as such": {sending{xact: xact(12), shard: shard(1)}, saga.Timer{Published: later}},
		"settled before the first look": {sending{xact: xact(1), shard: shard(1)}, saga.Timer{Published: now}},
	} {
		require.Equal(t, c.want, p.timer(c.sent, later), name)
	}
}

// A look that is older than any wait tells nothing.
func TestOldLooksAreForgotten(t *testing.T) {
	now := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	var p Published
	require.NoError(t, p.note([]string{"5:5:"}, now))
	require.NoError(t, p.note([]string{"5:5:"}, now.Add(2*saga.MaxWait)))
	require.Len(t, p.looks, 2)
	require.NoError(t, p.note([]string{"5:5:"}, now.Add(2*saga.MaxWait+time.Second)))
	require.Equal(t, now.Add(2*saga.MaxWait), p.looks[0].at)
}
