package stacktest

import (
	"context"
	"crypto/rand"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	sagasql "go.example/saga/sql"
)

// StartAs is [Start] with a role of its own for each daemon, which has the rights that the
// statements give to a role of the daemon's name, and no others. The tables are there before.
func StartAs(t *testing.T, grants map[string]string) *Stack {
	t.Helper()
	s := LaunchAs(t, grants)
	require.NoError(t, s.Ready(t.Context()))
	return s
}

// LaunchAs is StartAs without waiting until the daemons are ready.
func LaunchAs(t *testing.T, grants map[string]string) *Stack {
	t.Helper()
	s, settings := prepare(t)
	for db, lines := range map[*pgxpool.Pool][]sagasql.Line{
		s.Reservation: {sagasql.Outbox, sagasql.Saga, sagasql.Inbox, sagasql.Reservation},
		s.Hotel:       {sagasql.Outbox, sagasql.Inbox, sagasql.Participant, sagasql.Hotel},
		s.Payment:     {sagasql.Outbox, sagasql.Inbox, sagasql.Participant, sagasql.Payment},
	} {
		require.NoError(t, sagasql.Up(t.Context(), db.Config().ConnString(), "", lines...))
	}
	databases := map[string][]*pgxpool.Pool{
		"relay": {s.Reservation, s.Hotel, s.Payment}, "orchestrator": {s.Reservation}, "reservation": {s.Reservation},
		"hotel": {s.Hotel}, "payment": {s.Payment},
	}
	roles := map[string]string{}
	for daemon, used := range databases {
		roles[daemon] = role(t, daemon, used, grants[daemon])
	}
	settings.As = func(daemon, address string) string {
		u, err := url.Parse(address)
		require.NoError(t, err)
		u.User = url.User(roles[daemon])
		return u.String()
	}
	s.launch(t, settings)
	return s
}

// role makes one, gives it the rights in each database, and drops it when the test ends.
func role(t *testing.T, daemon string, databases []*pgxpool.Pool, grants string) string {
	t.Helper()
	name := "saga_test_" + daemon + "_" + strings.ToLower(rand.Text()[:8])
	_, err := databases[0].Exec(t.Context(), `CREATE ROLE `+name+` LOGIN`)
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		for _, db := range databases {
			_, err := db.Exec(ctx, `DROP OWNED BY `+name)
			require.NoError(t, err)
		}
		_, err := databases[0].Exec(ctx, `DROP ROLE `+name)
		require.NoError(t, err)
	})
	for _, db := range databases {
		_, err := db.Exec(t.Context(), regexp.MustCompile(`\bTO `+daemon+`\b`).ReplaceAllString(grants, "TO "+name))
		require.NoError(t, err, "%s: %s", daemon, grants)
	}
	return name
}
