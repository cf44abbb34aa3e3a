package address_test

import (
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"go.example/saga/internal/address"
)

const canary = "kAnArI42"

var (
	plainHosts = regexp.MustCompile(`^([A-Za-z0-9_.:-]+|[0-9a-fA-F:.]+%[^@/]+|/[A-Za-z0-9_.+~/-]*)$`)
	plainNames = regexp.MustCompile(`^[\pL\p{Nd}_.$~+-]+$`)
)

func FuzzParseDatabase(f *testing.F) {
	cleanEnvironment(f)
	for before, after := range map[string]string{
		"postgres://me:": "@db.example:5432/x?sslmode=",
		"postgres://me@a,b:1,[::1]:2/x?password=":   "&ssl=true&target_session_attrs=any",
		"postgres://%2Fvar%2Frun/x?password=":       "%41&host=db.example,127.0.0.1",
		"host=db.example dbname=x password='a\\' ":  "' sslmode=",
		"dbname = 'x' host=/tmp password=":          " sslmode = disable options='-c jit=off'",
		"postgres://u:a@":                           "@h/x#",
		"host=a dbname=x host=b password='":         "",
		"postgresql://u:p@127.0.0.1/":               "?statement_timeout=1",
		"postgres://u:p@127.0.0.1/x?schema=":        "&schema=y&jit=off",
		"service=none servicefile=/nowhere dbname=": "",
	} {
		f.Add(before, after)
	}
	f.Fuzz(func(t *testing.T, before, after string) {
		text := before + canary + after
		if strings.Contains(text, "dev") {
			return // no reading of devices
		}
		if _, err := address.Databases(text); err != nil {
			require.NotContains(t, err.Error(), canary)
		}
		config, err := address.ParseDatabase(text)
		if err != nil {
			require.ErrorIs(t, err, address.ErrRefused)
			require.NotContains(t, err.Error(), canary)
			return
		}
		conn := config.ConnConfig
		require.Regexp(t, plainNames, conn.Database)
		raw, err := pgconn.ParseConfig(strings.TrimSpace(text))
		require.NoError(t, err)
		require.Equal(t, []string{raw.Database, raw.User, raw.Password}, []string{conn.Database, conn.User, conn.Password})
		require.Equal(t, hosts(raw), hosts(&conn.Config))
		all := append([]*pgconn.FallbackConfig{{Host: conn.Host, TLSConfig: conn.TLSConfig}}, conn.Fallbacks...)
		for _, server := range all {
			require.Regexp(t, plainHosts, server.Host)
			if !address.IsLocal(server.Host) && !strings.Contains(text, "ssl") {
				require.NotNil(t, server.TLSConfig)
				require.False(t, server.TLSConfig.InsecureSkipVerify)
			}
		}
	})
}

// hosts are those that are dialled, in their order.
func hosts(c *pgconn.Config) (all []string) {
	last := ""
	for _, f := range append([]*pgconn.FallbackConfig{{Host: c.Host, Port: c.Port}}, c.Fallbacks...) {
		if server := f.Host + string(rune(f.Port)); server != last {
			last = server
			all = append(all, server)
		}
	}
	return all
}

func FuzzBrokers(f *testing.F) {
	for before, after := range map[string]string{
		"amqp://me:":            "@b.example:5672/v",
		"amqps://me:p@a,b:1,":   ":2/%2f?heartbeat=3",
		"amqp://me:p@a/v,":      "amqp://me:p@b/w",
		"amqp://me:p@[::1]:1/ ": " amqps://c",
		"amqp://u:12/":          "@h/",
		"amqp://u:p#":           "@h/",
	} {
		f.Add(before, after)
	}
	f.Fuzz(func(t *testing.T, before, after string) {
		brokers, err := address.Brokers(before + canary + after)
		if err != nil {
			require.ErrorIs(t, err, address.ErrRefused)
			require.NotContains(t, err.Error(), canary)
			return
		}
		require.NotEmpty(t, brokers)
		for _, b := range brokers {
			require.Regexp(t, plainHosts, b.Host)
			require.NotRegexp(t, `[@#?,"'\\\s]`, b.Vhost)
			u, err := url.Parse(b.URL)
			require.NoError(t, err)
			if u.Hostname() != "" {
				require.Equal(t, b.Host, u.Hostname())
			}
			require.LessOrEqual(t, strings.Count(b.URL, "@"), 1)
		}
	})
}

// A list that was cut is cut alike when it is joined again.
func FuzzSplitDatabases(f *testing.F) {
	f.Add("postgres://a/x, postgresql://b,c/y?z=1\npostgres://d")
	f.Add("host=a dbname=x,postgres://y")
	f.Add(" ,postgres://a/x,")
	f.Fuzz(func(t *testing.T, text string) {
		texts := address.SplitDatabases(text)
		for _, separator := range []string{",", " ", "\n, "} {
			require.Equal(t, texts, address.SplitDatabases(strings.Join(texts, separator)))
		}
	})
}
