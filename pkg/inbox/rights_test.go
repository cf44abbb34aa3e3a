package inbox_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/inbox"
	sagasql "go.example/saga/sql"
)

// troubled waits until what is reported last has all of the texts; without any, until it is nil.
func (b *bench) troubled(texts ...string) {
	b.t.Helper()
	require.Eventually(b.t, func() bool {
		reported := b.trouble.Load()
		if reported == nil || len(texts) == 0 {
			return reported != nil && *reported == nil
		}
		for _, text := range texts {
			if *reported == nil || !strings.Contains((*reported).Error(), text) {
				return false
			}
		}
		return true
	}, soon, often)
}

// lesser has the bench's consumer run as a role that may only what the statements say.
func (b *bench) lesser(statements ...string) (owner *pgxpool.Pool, role string) {
	owner, b.db = b.db, testenv.Role(b.t, b.db, append(statements, `GRANT SELECT, INSERT ON work TO {role}`, `GRANT SELECT ON saga_service TO {role}`)...)
	return owner, b.db.Config().ConnConfig.User
}

// Without its rights a consumer takes no message, and says which statement gives them.
func TestNothingIsConsumedWithoutRights(t *testing.T) {
	b := setUp(t, numbers(3)...)
	owner, role := b.lesser(`GRANT INSERT ON inbox_quarantine TO {role}`)
	b.start(store)
	cure := "GRANT DELETE, SELECT, UPDATE ON public.inbox_quarantine TO " + role
	b.troubled(cure)
	sessions, _ := b.queue.counts()
	require.Zero(t, sessions)
	_, err := owner.Exec(t.Context(), cure)
	require.NoError(t, err)
	b.awaitAcked(3)
	b.troubled()
}

// A right that is taken away is told although no message comes, and so is row security.
func TestARightThatIsTakenAwayIsTold(t *testing.T) {
	b := setUp(t)
	owner, role := b.lesser(`GRANT SELECT, INSERT, UPDATE, DELETE ON inbox_quarantine TO {role}`)
	b.start(store)
	b.troubled()
	for _, change := range []struct{ take, cure string }{
		{"REVOKE UPDATE ON inbox_quarantine FROM {role}", "GRANT UPDATE ON public.inbox_quarantine TO {role}"},
		{"ALTER TABLE inbox_quarantine ENABLE ROW LEVEL SECURITY", "ALTER ROLE {role} BYPASSRLS"},
	} {
		testenv.AsRole(t, owner, role, change.take)
		b.troubled("run as the owner", strings.ReplaceAll(change.cure, "{role}", role))
		testenv.AsRole(t, owner, role, change.cure)
		b.troubled()
	}
}

// What a transaction fails of for want of a right names the code, and that it is no right
// of ours where it is none. No message is set aside for it.
func TestAHandlersWantOfARightIsTold(t *testing.T) {
	b := setUp(t, numbers(3)...)
	owner, role := b.lesser(`GRANT SELECT, INSERT, UPDATE, DELETE ON inbox_quarantine TO {role}`)
	testenv.AsRole(t, owner, role, `REVOKE INSERT ON work FROM {role}`)
	b.start(store)
	b.troubled("permission denied for table work", "42501", "another object")
	testenv.AsRole(t, owner, role, `GRANT INSERT ON work TO {role}`)
	b.awaitAcked(3)
	b.troubled()
	require.Zero(t, b.count(`SELECT count(*) FROM inbox_quarantine`))
}

// What the broker is to blame for is marked so.
func TestTheBrokersTroubleIsMarked(t *testing.T) {
	b := setUp(t)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- inbox.RunFast(ctx, inbox.Config{
			Name: "test", Service: testenv.Service, DB: b.db, Handle: store, Report: func(err error) { b.trouble.Store(&err) },
			Open: func(context.Context, sagasql.Service) (inbox.Source, error) { return nil, errors.New("nobody there") },
		}, soon, patient)
	}()
	b.troubled("nobody there")
	require.ErrorIs(t, *b.trouble.Load(), inbox.ErrBroker)
	cancel()
	require.NoError(t, <-ended)
}

// A role's defaults change nothing: a transaction reads what was committed meanwhile, and writes.
func TestTransactionsDoNotDependOnTheRolesDefaults(t *testing.T) {
	b := setUp(t, numbers(1)...)
	b.lesser(`GRANT SELECT, INSERT, UPDATE, DELETE ON inbox_quarantine TO {role}`,
		`ALTER ROLE {role} SET default_transaction_isolation = serializable`, `ALTER ROLE {role} SET default_transaction_read_only = on`)
	level := make(chan string, 1)
	b.start(func(ctx context.Context, tx pgx.Tx, ds []inbox.Delivery) ([]inbox.Rejection, error) {
		var isolation string
		if err := tx.QueryRow(ctx, `SELECT current_setting('transaction_isolation')`).Scan(&isolation); err != nil {
			return nil, err
		}
		level <- isolation
		return store(ctx, tx, ds)
	})
	b.awaitAcked(1)
	require.Equal(t, "read committed", <-level)
}
