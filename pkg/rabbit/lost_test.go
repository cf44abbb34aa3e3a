package rabbit_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/rabbit"
)

// The broker takes a session for alive that is cut off from its client. What comes then goes to
// the session that stands in for it, and not to both in turn.
func TestTheNextSessionHasPrecedence(t *testing.T) {
	t.Parallel()
	url := testenv.Vhost(t)
	declareReplies(t, url)
	kept, cut := at(url), at(url)
	other := consumer(t, kept, replies, 100)
	cut.Lost = &rabbit.Lost{}
	proxy := testenv.StartProxy(t, url)
	lost := at(proxy.URL)
	lost.Lost = cut.Lost
	first := consumer(t, lost, replies, 100)
	proxy.Cut()
	select {
	case <-first.Done():
	case <-time.After(patience):
		require.Fail(t, "the session does not end")
	}
	require.NoError(t, first.Close())
	second := consumer(t, cut, replies, 100)
	fill(t, url, 20)
	require.Len(t, drain(t, second, 20), 20)
	require.Zero(t, other.Arrived(), "a consumer that the broker takes for alive gets nothing while there is room")

	require.NoError(t, second.Err(), "it has got something, and stays")
	require.NoError(t, second.Close())
	third := consumer(t, at(url), replies, 100)
	fill(t, url, 20)
	require.Eventually(t, func() bool { return other.Arrived() > 0 && third.Arrived() > 0 }, patience, 10*time.Millisecond, "else both get their share")
}

// One that stands in and gets nothing is opened anew, a few times and no more.
func TestASessionThatStandsInIsRenewed(t *testing.T) {
	t.Parallel()
	url := testenv.Vhost(t)
	declareReplies(t, url)
	proxy := testenv.StartProxy(t, url)
	lost := &rabbit.Lost{}
	through, direct := rabbit.Impatient(at(proxy.URL)), rabbit.Impatient(at(url))
	through.Lost, direct.Lost = lost, lost
	ends := func(c *rabbit.Consumer) string {
		t.Helper()
		select {
		case <-c.Done():
		case <-time.After(patience):
			require.Fail(t, "the session does not end")
		}
		require.NoError(t, c.Close())
		return c.Err().Error()
	}
	first := consumer(t, through, replies, 10)
	proxy.Cut()
	ends(first)
	for range rabbit.Renewals {
		require.Contains(t, ends(consumer(t, direct, replies, 10)), "nothing was delivered to a session that stands in")
	}
	last := consumer(t, direct, replies, 10)
	fill(t, url, 1)
	require.Len(t, drain(t, last, 1), 1)
	require.NoError(t, last.Err())
}
