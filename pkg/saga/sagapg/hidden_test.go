package sagapg_test

import (
	"context"
	"slices"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/saga"
	"go.example/saga/pkg/saga/sagapg"
)

// denied holds that PostgreSQL refused for want of a right.
func denied(t *testing.T, err error, what string) {
	t.Helper()
	var refused *pgconn.PgError
	require.ErrorAs(t, err, &refused, what)
	require.Equal(t, "42501", refused.Code, "%s: %v", what, err)
}

// Sagas that row security hides are no answer to any question, also where the role's
// pool knows nothing of row security: each is an error.
func TestHiddenSagasAreAnError(t *testing.T) {
	b := setup(t)
	id := b.start("K-1")
	rights := slices.Concat(sagapg.RightsToDrive, sagapg.RightsToExpire, sagapg.RightsToStart, sagapg.RightsToLook)
	db := testenv.Role(t, b.db, testenv.Grants(rights...)...)
	require.NoError(t, b.store.CheckRights(b.ctx, db, rights...))
	for table, steps := range map[string]struct{ hide, show string }{
		"saga":            {`ALTER TABLE saga ENABLE ROW LEVEL SECURITY`, `ALTER TABLE saga DISABLE ROW LEVEL SECURITY`},
		"saga_history":    {`ALTER TABLE saga_history ENABLE ROW LEVEL SECURITY`, `ALTER TABLE saga_history DISABLE ROW LEVEL SECURITY`},
		"saga_definition": {`ALTER TABLE saga_definition ENABLE ROW LEVEL SECURITY`, `ALTER TABLE saga_definition DISABLE ROW LEVEL SECURITY`},
	} {
		b.exec(steps.hide)
		b.refused(db, id, table)
		require.ErrorContains(t, b.store.CheckRights(b.ctx, db, rights...), "BYPASSRLS")
		b.exec(steps.show)
	}
	// A policy that hides nothing yet may do so later.
	b.exec(`ALTER TABLE saga ENABLE ROW LEVEL SECURITY; CREATE POLICY all_of_them ON saga USING (true)`)
	b.refused(db, id, "a policy")
}

// refused asks everything that can be asked.
func (b *bench) refused(db sagapg.DB, id saga.ID, hidden string) {
	b.Helper()
	store, ctx := sagapg.New("", testenv.Service), b.ctx
	for question, ask := range map[string]func() error{
		"Census":           func() error { _, err := store.Census(ctx, db); return err },
		"CheckDefinitions": func() error { _, _, err := store.CheckDefinitions(ctx, db); return err },
		"Definition":       func() error { _, err := store.Definition(ctx, db, b.def.Name, b.def.Version); return err },
		"Expire":           func() error { _, err := store.Expire(ctx, db, 0, saga.ID{}, 10); return err },
		"Find":             func() error { _, err := store.Find(ctx, db, sagapg.Selection{Limit: 10}); return err },
		"LatestDefinition": func() error { _, err := store.LatestDefinition(ctx, db, b.def.Name); return err },
		"ListDefinitions":  func() error { _, err := store.ListDefinitions(ctx, db); return err },
		"NextWake":         func() error { _, _, err := store.NextWake(ctx, db, nil); return err },
		"Admit":            func() error { return store.NewGate(db, 10).Admit(ctx) },
		"OnOtherVersion": func() error {
			_, err := store.OnOtherVersion(ctx, db, sagapg.OtherVersions{Name: b.def.Name, To: 7}, saga.ID{}, 10)
			return err
		},
		"Overviews": func() error { _, err := store.Overviews(ctx, db, []saga.ID{id}); return err },
		"Recount":   func() error { _, _, err := store.Recount(ctx, db, 10); return err },
		"Show":      func() error { _, err := store.Show(ctx, db, id, 1); return err },
		"Load": func() error {
			return pgx.BeginFunc(ctx, db.(pgxBeginner), func(tx pgx.Tx) error { _, _, err := store.Load(ctx, tx, []saga.ID{id}); return err })
		},
		"Due": func() error {
			return pgx.BeginFunc(ctx, db.(pgxBeginner), func(tx pgx.Tx) error { _, _, err := store.Due(ctx, tx, 10, nil, &sagapg.Published{}); return err })
		},
		"Start": func() error {
			return pgx.BeginFunc(ctx, db.(pgxBeginner), func(tx pgx.Tx) error {
				_, _, err := store.Start(ctx, tx, b.def, sagapg.StartRequest{BusinessKey: "K-1"})
				return err
			})
		},
	} {
		denied(b.T, ask(), question+" with hidden rows of "+hidden)
	}
}

type pgxBeginner = interface {
	Begin(ctx context.Context) (pgx.Tx, error)
}

// The caller's own tables keep their row security: it is refused for our statements alone.
func TestStartLeavesTheCallersRowSecurityAlone(t *testing.T) {
	b := setup(t)
	b.exec(`CREATE TABLE booking (tenant text); INSERT INTO booking VALUES ('ours'), ('theirs');
		ALTER TABLE booking ENABLE ROW LEVEL SECURITY; CREATE POLICY tenant ON booking USING (tenant = 'ours')`)
	db := testenv.Role(t, b.db, append(testenv.Grants(sagapg.RightsToStart...), `GRANT SELECT ON booking TO {role}`)...)
	require.NoError(t, pgx.BeginFunc(b.ctx, db, func(tx pgx.Tx) error {
		for range 2 {
			id, _, err := b.store.Start(b.ctx, tx, b.def, sagapg.StartRequest{BusinessKey: "K-1"})
			require.NoError(t, err)
			require.NotEqual(t, uuid.Nil, uuid.UUID(id))
			_, err = b.store.LatestDefinition(b.ctx, tx, b.def.Name)
			require.NoError(t, err)
			var seen int
			require.NoError(t, tx.QueryRow(b.ctx, `SELECT count(*) FROM booking`).Scan(&seen))
			require.Equal(t, 1, seen)
		}
		return nil
	}))
}
