package testenv

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// keeper stands for another process whose tests share the server.
func keeper(t *testing.T, size int) *roomKeeper {
	t.Helper()
	// A database of its own: what other packages hold at the moment does not count.
	url := Database(t).Config().ConnString()
	return keeperAt(t, url, size)
}

func keeperAt(t *testing.T, url string, size int) *roomKeeper {
	t.Helper()
	r := &roomKeeper{byTest: map[string]*share{}}
	require.NoError(t, r.connect(url))
	r.size = size
	t.Cleanup(func() { require.NoError(t, r.close(context.Background())) })
	return r
}

// asTest is a test of another process, which ends when leave is called.
type asTest struct {
	*testing.T
	name string
	ends []func()
}

func (a *asTest) Name() string     { return a.name }
func (a *asTest) Cleanup(f func()) { a.ends = append(a.ends, f) }

func (a *asTest) leave() {
	for _, end := range a.ends {
		end()
	}
	a.ends = nil
}

func TestRoomIsWaitedFor(t *testing.T) {
	t.Parallel()
	one := keeper(t, 10)
	url := one.conn.Config().ConnString()
	two := keeperAt(t, url, 10)
	first, second, third := &asTest{T: t, name: "First"}, &asTest{T: t, name: "Second"}, &asTest{T: t, name: "Third"}
	require.NoError(t, one.enter(first, url, 6))

	waits := make(chan error, 1)
	go func() { waits <- two.enter(second, url, 6) }()
	require.Eventually(t, func() bool { two.mu.Lock(); defer two.mu.Unlock(); return two.turn }, 10*time.Second, time.Millisecond)
	entered, err := one.first(third, url, 1)
	require.NoError(t, err)
	require.False(t, entered, "nobody overtakes who waits")
	require.NoError(t, one.enter(first, url, 9), "who is in does not wait")
	select {
	case err := <-waits:
		t.Fatalf("the room is taken, yet the second test entered: %v", err)
	default:
	}

	first.leave()
	require.NoError(t, <-waits)
	entered, err = one.first(third, url, 4)
	require.NoError(t, err)
	require.True(t, entered)
	second.leave()
	third.leave()
	require.Empty(t, one.byTest)
	require.Empty(t, two.byTest)
	locks, err := one.lock(10, 1, 10)
	require.NoError(t, err)
	require.Len(t, locks, 10, "everything was given back")
}

func TestRoomOfAKilledProcessIsFree(t *testing.T) {
	t.Parallel()
	one := keeper(t, 10)
	url := one.conn.Config().ConnString()
	two := keeperAt(t, url, 10)
	require.NoError(t, one.enter(&asTest{T: t, name: "Killed"}, url, 10))
	require.NoError(t, one.conn.Close(t.Context()))
	require.NoError(t, two.enter(&asTest{T: t, name: "Next"}, url, 10))
}

func TestOneWhoNeedsMoreThanThereIsGetsAll(t *testing.T) {
	t.Parallel()
	one := keeper(t, 10)
	large := &asTest{T: t, name: "Large"}
	require.NoError(t, one.enter(large, one.conn.Config().ConnString(), 1000))
	require.Len(t, one.byTest["Large"].locks, 10)
}

func TestDatabasesOfAShareAreNotCountedTwice(t *testing.T) {
	t.Parallel()
	one := keeper(t, 100)
	large := &asTest{T: t, name: "Large/sub"}
	require.False(t, one.spend(large), "it has said nothing yet")
	require.NoError(t, one.enter(large, one.conn.Config().ConnString(), 2*databaseNeeds))
	require.True(t, one.spend(&asTest{T: t, name: "Large/other"}))
	require.True(t, one.spend(large))
	require.False(t, one.spend(large))
}
