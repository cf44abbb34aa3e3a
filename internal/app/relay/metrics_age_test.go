package relay

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap/zaptest"

	engine "go.example/saga/pkg/outbox/relay"
)

func TestAgeIsOfWhatIsKnownBest(t *testing.T) {
	t.Parallel()
	now := time.Now()
	ago := func(seconds int) time.Time { return now.Add(-time.Duration(seconds) * time.Second) }
	found := func(at, oldest time.Time, failing bool) look {
		return look{known: at, failing: failing, shards: map[int]shardLook{0: {oldest: oldest}}}
	}
	none := time.Time{}
	for name, c := range map[string]struct {
		engine engine.Status
		last   look
		want   time.Time
	}{
		"at work, nothing waits":          {engine.Status{State: engine.Active}, found(ago(9), ago(10), false), none},
		"at work":                         {engine.Status{State: engine.Active, Oldest: ago(3)}, found(ago(9), none, false), ago(3)},
		"blocked":                         {engine.Status{State: engine.Blocked, Oldest: ago(3)}, found(ago(1), ago(2), false), ago(3)},
		"another's":                       {engine.Status{State: engine.Standby, Oldest: ago(99)}, found(ago(1), ago(99), false), none},
		"broker down, before a look":      {engine.Status{State: engine.BrokerDown, Since: ago(5), Oldest: ago(6)}, found(ago(9), none, false), ago(6)},
		"broker down, came since":         {engine.Status{State: engine.BrokerDown, Since: ago(50)}, found(ago(9), ago(40), false), ago(40)},
		"broker down, published after":    {engine.Status{State: engine.BrokerDown, Since: ago(50), Oldest: ago(51)}, found(ago(9), none, false), none},
		"database down":                   {engine.Status{State: engine.DatabaseDown, Since: ago(5)}, found(ago(9), none, true), ago(9)},
		"database down, something waits":  {engine.Status{State: engine.DatabaseDown, Since: ago(5), Oldest: ago(7)}, found(ago(9), none, true), ago(7)},
		"database down after the broker":  {engine.Status{State: engine.DatabaseDown, Since: ago(5)}, found(ago(9), ago(60), true), ago(60)},
		"never reached its database":      {engine.Status{State: engine.DatabaseDown, Since: ago(5)}, look{known: ago(30), failing: true}, ago(30)},
		"begins, and the log has a past":  {engine.Status{State: engine.Starting, Since: ago(2)}, found(ago(1), ago(7200), false), ago(7200)},
		"begins, and has not looked":      {engine.Status{State: engine.Starting, Since: ago(2)}, look{known: ago(3)}, none},
		"database down, more than one":    {engine.Status{State: engine.DatabaseDown, Oldest: ago(70)}, found(ago(9), ago(60), true), ago(70)},
		"broker down, another one's news": {engine.Status{State: engine.BrokerDown, Shard: 1, Since: ago(50)}, found(ago(9), ago(40), false), none},
	} {
		m := newMeter(database{entry: entry{name: "shop"}}, engine.NewFaults("shop", zaptest.NewLogger(t)))
		require.Equal(t, c.want, m.waitsSince(c.engine, c.last), name)
	}
}

func TestAgeIsOfTheWorstShard(t *testing.T) {
	t.Parallel()
	m := newMeter(database{entry: entry{name: "shop"}}, engine.NewFaults("shop", zaptest.NewLogger(t)))
	m.ahead.Store(int64(time.Hour)) // the database's clock says it is an hour later
	engines := []engine.Status{
		{State: engine.Active, Oldest: time.Now().Add(time.Hour - 10*time.Second)},
		{State: engine.Active, Oldest: time.Now().Add(time.Hour - 90*time.Second)},
		{State: engine.Active},
	}
	require.InDelta(t, 90, m.oldestAge(engine.Status{}, engines, look{}).Seconds(), 5)
	alone := engine.Status{State: engine.DatabaseDown} // no shard is known
	require.InDelta(t, 40, m.oldestAge(alone, nil, look{failing: true, known: time.Now().Add(-40 * time.Second)}).Seconds(), 5)
}

func TestClocksAreComparedWithinTheTimeOfTheQuestion(t *testing.T) {
	t.Parallel()
	asked := time.Now()
	answered := asked.Add(10 * time.Millisecond)
	for offset, want := range map[time.Duration]time.Duration{
		0:                     0,
		10 * time.Millisecond: 0,
		time.Second:           990 * time.Millisecond,
		-time.Second:          -time.Second,
	} {
		require.Equal(t, want, ahead(asked.Add(offset), asked, answered), offset)
	}
}
