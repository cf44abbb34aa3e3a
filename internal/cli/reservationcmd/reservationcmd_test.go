package reservationcmd_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"go.example/saga/internal/cli"
	"go.example/saga/internal/cli/reservationcmd"
	"go.example/saga/internal/sample/reservation"
	"go.example/saga/internal/sample/reservation/api"
	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/saga/sagapg"
	"go.example/saga/pkg/saga/sagayaml"
	sagasql "go.example/saga/sql"
)

func TestMain(m *testing.M) { testenv.Main(m) }

func server(t *testing.T) (*pgxpool.Pool, string) {
	t.Helper()
	ctx := context.Background()
	db := testenv.Database(t, sagasql.Outbox, sagasql.Saga, sagasql.Inbox, sagasql.Reservation)
	text, err := os.ReadFile("../../../deploy/room-reservation.yaml")
	require.NoError(t, err)
	def, err := sagayaml.Parse(text)
	require.NoError(t, err)
	_, err = sagapg.New("", testenv.Service).ApplyDefinition(ctx, db, def)
	require.NoError(t, err)
	service := reservation.NewService(db, "", testenv.Service)
	_, err = service.LoadDefinition(ctx)
	require.NoError(t, err)
	s := httptest.NewServer(api.Handler(service, api.Parts{Within: time.Minute}, zap.NewNop()))
	t.Cleanup(s.Close)
	return db, s.URL
}

func run(stdin string, args ...string) (code int, stdout, stderr string) {
	root := reservationcmd.New()
	var out, errs bytes.Buffer
	root.SetArgs(args)
	root.SetIn(strings.NewReader(stdin))
	root.SetOut(&out)
	root.SetErr(&errs)
	code = cli.Run(context.Background(), root)
	return code, out.String(), errs.String()
}

func place(url string, more ...string) []string {
	return append([]string{
		"place", "--server", url, "--room", "1", "--from", "2027-01-10", "--to", "2027-01-12",
		"--guest", "g1", "--amount", "49900",
	}, more...)
}

func TestPlaceAndGet(t *testing.T) {
	db, url := server(t)
	code, out, errs := run("", place(url, "--card-last4", "7999", "--json", "--idempotency-key", "k")...)
	require.Equal(t, cli.ExitOK, code, errs)
	var placed api.Body
	require.NoError(t, json.Unmarshal([]byte(out), &placed))
	require.Equal(t, reservation.Pending, placed.Status)

	code, out, _ = run("", "get", placed.ReservationID, "--server", url)
	require.Equal(t, cli.ExitOK, code)
	require.Contains(t, out, placed.ReservationID)
	require.Contains(t, out, "PENDING")

	code, _, errs = run("", place(url, "--card-last4", "7998", "--idempotency-key", "k")...)
	require.Equal(t, cli.ExitRefused, code, errs)
	require.Contains(t, errs, "409")

	code, _, errs = run("", "get", placed.ReservationID, "--server", url, "--wait", "--timeout", "300ms")
	require.Equal(t, cli.ExitFailed, code)
	require.Contains(t, errs, "still PENDING")

	_, err := db.Exec(context.Background(), `UPDATE reservation SET status = 'FAILED', failure_reason = 'card declined'`)
	require.NoError(t, err)
	code, out, errs = run("", "get", placed.ReservationID, "--server", url, "--wait")
	require.Equal(t, cli.ExitRefused, code)
	require.Contains(t, out, "FAILED")
	require.Contains(t, errs, "card declined")
	code, _, _ = run("", "get", placed.ReservationID, "--server", url)
	require.Equal(t, cli.ExitOK, code, "looking at a failed reservation is no failure")
}

func TestWaitSeesTheEnd(t *testing.T) {
	db, url := server(t)
	_, err := db.Exec(context.Background(), `CREATE FUNCTION done() RETURNS trigger LANGUAGE plpgsql AS
		$$ BEGIN UPDATE reservation SET status = 'SUCCEED' WHERE id = NEW.id; RETURN NULL; END $$;
		CREATE TRIGGER done AFTER INSERT ON reservation FOR EACH ROW EXECUTE FUNCTION done()`)
	require.NoError(t, err)
	code, out, errs := run("", place(url, "--card-last4", "7999", "--wait")...)
	require.Equal(t, cli.ExitOK, code, errs)
	require.Contains(t, out, "SUCCEED")
	require.Contains(t, errs, "waiting for reservation")
}

func TestFailures(t *testing.T) {
	db, url := server(t)
	for name, c := range map[string]struct {
		code int
		args []string
		said string
	}{
		"unknown":      {cli.ExitNotFound, []string{"get", uuid.NewString(), "--server", url}, "404"},
		"no uuid":      {cli.ExitUsage, []string{"get", "17", "--server", url}, "path.id"},
		"no id":        {cli.ExitUsage, []string{"get"}, "one reservation id"},
		"no card":      {cli.ExitUsage, place(url), "CARD_NUMBER"},
		"long last4":   {cli.ExitUsage, place(url, "--card-last4", "4929000011117999"), "last four"},
		"two cards":    {cli.ExitUsage, place(url, "--card-last4", "7999", "--card-stdin"), "exclude"},
		"no room":      {cli.ExitUsage, []string{"place", "--card-last4", "7999"}, "--room"},
		"wrong dates":  {cli.ExitUsage, place(url, "--card-last4", "7999", "--to", "2027-01-01"), "body.endDate"},
		"unknown flag": {cli.ExitUsage, place(url, "--card", "4929000011117999"), "unknown flag"},
		"no server":    {cli.ExitFailed, []string{"get", uuid.NewString(), "--server", "http://127.0.0.1:1"}, "running"},
		"no settings":  {cli.ExitUsage, []string{"serve"}, "DATABASE_URL"},
	} {
		t.Setenv("DATABASE_URL", "")
		code, _, errs := run("", c.args...)
		require.Equal(t, c.code, code, "%s: %s", name, errs)
		require.Contains(t, errs, c.said, name)
		require.NotContains(t, errs, "4929000011117999", name)
	}
	var n int
	require.NoError(t, db.QueryRow(context.Background(), `SELECT count(*) FROM reservation`).Scan(&n))
	require.Zero(t, n)
}

func TestCardFromStdinAndEnvironment(t *testing.T) {
	db, url := server(t)
	const number = "492900001111%s"
	code, out, errs := run(fmt.Sprintf(number, "1111")+"\n", place(url, "--card-stdin")...)
	require.Equal(t, cli.ExitOK, code, errs)
	require.NotContains(t, out+errs, "4929")
	t.Setenv("CARD_NUMBER", fmt.Sprintf(number, "2222"))
	code, out, errs = run("", place(url)...)
	require.Equal(t, cli.ExitOK, code, errs)
	require.NotContains(t, out+errs, "4929")
	var kept string
	require.NoError(t, db.QueryRow(context.Background(), `SELECT string_agg(card_last4, ' ' ORDER BY card_last4) FROM reservation`).Scan(&kept))
	require.Equal(t, "1111 2222", kept)
}
