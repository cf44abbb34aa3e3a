package listings

import (
	"context"
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/jsonmap"
	"go.example/saga/pkg/saga"
	"go.example/saga/pkg/saga/sagapg"
	"go.example/saga/pkg/saga/sagayaml"
	sagasql "go.example/saga/sql"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// errNoCredit is a reason of the service itself, found after the saga was started.
var errNoCredit = errors.New("no credit")

// place is the service's method: its row, the saga and the first command in one transaction.
// The saga is sent what it needs; the card stays here, and is named by a token.
func place(ctx context.Context, db *pgxpool.Pool, stay saga.Definition, id, token string, credit bool) error {
	return pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `INSERT INTO reservation (id) VALUES ($1) ON CONFLICT DO NOTHING`, id); err != nil {
			return err
		}
		_, _, err := sagapg.New("", testenv.Service).Start(ctx, tx, stay, sagapg.StartRequest{
			BusinessKey: id, Payload: jsonmap.JSONMap{"reservation": id, "card": token},
		})
		if err == nil && !credit {
			err = errNoCredit
		}
		return err
	})
}

// The outbox listing's one transaction, as it reads here: all or nothing, and once for a key.
func TestOutboxHere(t *testing.T) {
	db, ctx := testenv.Database(t, sagasql.Outbox, sagasql.Saga), t.Context()
	_, err := db.Exec(ctx, `CREATE TABLE reservation (id text PRIMARY KEY)`)
	require.NoError(t, err)
	def, err := sagayaml.Parse([]byte(stay))
	require.NoError(t, err)
	_, err = sagapg.New("", testenv.Service).ApplyDefinition(ctx, db, def)
	require.NoError(t, err)
	rows := func() (n [3]int) {
		require.NoError(t, db.QueryRow(ctx, `SELECT (SELECT count(*) FROM reservation), (SELECT count(*) FROM saga),
			(SELECT count(*) FROM outbox WHERE type = 'room.REQUEST')`).Scan(&n[0], &n[1], &n[2]))
		return n
	}
	require.ErrorIs(t, place(ctx, db, def, "R-1", "tok", false), errNoCredit)
	require.Equal(t, [3]int{0, 0, 0}, rows(), "rolled back, it never was")
	require.NoError(t, place(ctx, db, def, "R-1", "tok", true))
	require.Equal(t, [3]int{1, 1, 1}, rows())
	require.NoError(t, place(ctx, db, def, "R-1", "tok", true))
	require.Equal(t, [3]int{1, 1, 1}, rows(), "a request that comes again starts nothing")
}
