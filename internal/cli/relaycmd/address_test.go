package relaycmd

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"go.example/saga/internal/cli"
	"go.example/saga/internal/testenv"
)

// A blank or a comma inside of an address makes no second database of it: tables are made
// where somebody named the database, and nowhere else.
func TestMigrateTouchesOnlyWhatIsNamed(t *testing.T) {
	pool := testenv.Database(t)
	server := pool.Config().ConnConfig
	host := fmt.Sprintf("%s:%d", server.Host, server.Port)
	several := strings.Replace(pool.Config().ConnString(), host, host+","+host, 1)
	require.NotEqual(t, pool.Config().ConnString(), several)
	tables := func() (count int) {
		admin := server.Copy()
		admin.Database = "postgres"
		conn, err := pgx.ConnectConfig(t.Context(), admin)
		require.NoError(t, err)
		defer func() { require.NoError(t, conn.Close(context.Background())) }()
		require.NoError(t, conn.QueryRow(t.Context(), `SELECT count(*) FROM pg_tables WHERE schemaname = 'public'`).Scan(&count))
		return count
	}
	before := tables()
	for _, variable := range [][2]string{
		{"PGHOST", server.Host}, {"PGPORT", strconv.Itoa(int(server.Port))}, {"PGUSER", server.User}, {"PGPASSWORD", server.Password},
	} {
		t.Setenv(variable[0], variable[1])
	}
	for text, want := range map[string]int{
		several + "&target_session_attrs=read-write":                                                       cli.ExitOK,
		"host=" + server.Host + " dbname=" + server.Database:                                               cli.ExitOK,
		"dbname=" + server.Database:                                                                        cli.ExitOK,
		"host=" + server.Host + " dbname=" + server.Database + " host=" + server.Host + " dbname=postgres": cli.ExitUsage,
		"host=" + server.Host + ",dbname=" + server.Database:                                               cli.ExitUsage,
		"postgres://" + host + "/" + server.Database + ",postgres":                                         cli.ExitUsage,
		"postgres://" + host + "/" + server.Database + " " + host:                                          cli.ExitUsage,
		"postgres://" + host: cli.ExitUsage,
	} {
		code, out, errs := command(t, t.Context(), configFile(t, "database_urls: "+strconv.Quote(text)), "migrate")
		require.Equal(t, want, code, "%s: %s", text, errs)
		if want == cli.ExitOK {
			require.Equal(t, server.Database+": the outbox tables are up to date\n", out)
		} else {
			require.Contains(t, errs, "DATABASE_URLS: entry 1 of 1: the address is refused")
		}
	}
	require.Equal(t, before, tables())
}

// Status shows a broker as reachable when one of the list is.
func TestStatusTriesTheBrokersInTurn(t *testing.T) {
	t.Parallel()
	pool := testenv.Database(t)
	broker, err := url.Parse(testenv.Vhost(t))
	require.NoError(t, err)
	gone := *broker
	gone.Host = "127.0.0.1:1"
	both := *broker
	both.Host = gone.Host + "," + broker.Host
	for text, want := range map[string]string{
		gone.String() + "," + broker.String():               "reachable",
		gone.String() + " " + broker.String():               "reachable",
		both.String():                                       "reachable",
		gone.String():                                       "unreachable",
		gone.String() + ",amqp://app:S3cretPw@127.0.0.1:2/": "unreachable",
	} {
		file := configFile(t, fmt.Sprintf("database_urls: %q\namqp_url: %q\n", pool.Config().ConnString(), text))
		_, out, errs := command(t, t.Context(), file, "status")
		require.Regexp(t, ` `+want+"\n", out)
		require.NotContains(t, out+errs, "S3cretPw")
	}
}

// A server that repeats the password does not have it shown.
func TestStatusIsScrubbed(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	answer := "SFATAL\x00C28P01\x00Mno way in with toldByTheServer\x00\x00"
	answer = "E" + string(binary.BigEndian.AppendUint32(nil, uint32(len(answer)+4))) + answer
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Read(make([]byte, 1024))
			_, _ = conn.Write([]byte(answer))
			_ = conn.Close()
		}
	}()
	url := "postgres://me:toldByTheServer@" + listener.Addr().String() + "/x?sslmode=disable"
	file := configFile(t, "database_urls: "+url)
	for _, args := range [][]string{{"status"}, {"status", "--json"}, {"migrate"}, {"parked", "list"}} {
		_, out, errs := command(t, t.Context(), file, args...)
		require.Contains(t, out+errs, "no way in with ***", args)
		require.NotContains(t, out+errs, "toldByTheServer", args)
		require.NotContains(t, out+errs, "user=me", args)
	}
}
