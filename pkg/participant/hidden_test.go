package participant_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/inbox"
	"go.example/saga/pkg/jsonmap"
	"go.example/saga/pkg/participant"
	"go.example/saga/pkg/saga"
	sagasql "go.example/saga/sql"
)

// asRole has the bench's participant run as a role with the rights that it asks for, and on
// the handlers' table, where it sees no more than a policy lets it. Its pool knows nothing
// of row security.
func (b *bench) asRole() (role string) {
	b.t.Helper()
	owner := b.DB
	rights := slices.Concat(inbox.Rights, participant.Rights)
	b.DB = testenv.Role(b.t, owner, append(testenv.Grants(rights...), `GRANT SELECT, INSERT ON effect TO {role}`,
		`ALTER TABLE effect ENABLE ROW LEVEL SECURITY`, `CREATE POLICY own ON effect USING (op <> 'secret')`,
		`INSERT INTO effect (op) VALUES ('secret')`)...)
	var err error
	b.p, err = participant.New(b.Config)
	require.NoError(b.t, err)
	return b.DB.Config().ConnConfig.User
}

// A step that row security hides is not done a second time, whatever hides it: the batch
// is refused. The handlers' own tables keep their row security.
func TestAHiddenBarrierRefusesTheBatch(t *testing.T) {
	b := setUp(t)
	owner := b.DB
	b.asRole()
	b.Steps["work"] = participant.Step{Request: func(ctx context.Context, tx pgx.Tx, cmd participant.Command) (jsonmap.JSONMap, error) {
		var secrets int
		if err := tx.QueryRow(ctx, `SELECT count(*) FROM effect WHERE op = 'secret'`).Scan(&secrets); err != nil || secrets > 0 {
			return nil, errors.Join(err, errors.New("what a policy hides is seen"))
		}
		return request(ctx, tx, cmd)
	}, Confirm: follow, Cancel: follow}
	id := newSaga()
	_, err := b.handle(command(id, "work", saga.Request, 1, ""))
	require.NoError(t, err)
	require.Equal(t, "REQUEST", b.effects(id))

	for _, policy := range []string{
		`ALTER TABLE saga_barrier ENABLE ROW LEVEL SECURITY`,
		`CREATE POLICY blind ON saga_barrier USING (false) WITH CHECK (true)`,
		`CREATE POLICY new_ones ON saga_barrier FOR SELECT USING (entered_at = now())`,
	} {
		_, err := owner.Exec(t.Context(), policy)
		require.NoError(t, err)
		for _, op := range []saga.Operation{saga.Request, saga.Confirm, saga.Cancel} {
			_, err = b.handle(command(id, "work", op, 2, ""))
			var refused *pgconn.PgError
			require.ErrorAs(t, err, &refused, policy)
			require.Equal(t, "42501", refused.Code, "%s, %s: %v", op, policy, err)
		}
		require.Equal(t, "REQUEST", b.effects(id))
	}
}

// The loop takes no command without its rights, says which statement gives them, and works
// with exactly these.
func TestParticipantProvesItsRights(t *testing.T) {
	b := setUp(t)
	owner := b.DB
	role := b.asRole()
	revoke := `REVOKE INSERT ON outbox FROM {role}`
	testenv.AsRole(t, owner, role, revoke)
	var reported atomic.Pointer[error]
	b.Report = func(err error) { reported.Store(&err) }
	batch := &one{deliveries: []inbox.Delivery{command(newSaga(), "work", saga.Request, 1, "")}, acked: make(chan struct{})}
	b.Open = func(context.Context, sagasql.Service) (inbox.Source, error) { return batch, nil }
	p, err := participant.New(b.Config)
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	require.Eventually(t, func() bool {
		err := reported.Load()
		return err != nil && *err != nil && strings.Contains((*err).Error(), "GRANT INSERT ON public.outbox TO "+role)
	}, soon, often)
	require.False(t, batch.taken.Load())
	testenv.AsRole(t, owner, role, strings.ReplaceAll(strings.ReplaceAll(revoke, "REVOKE", "GRANT"), "FROM", "TO"))
	<-batch.acked
	b.DB = owner
	require.Equal(t, "1", b.text(`SELECT count(*)::text FROM outbox`))
	stop()
	require.NoError(t, <-ended)
}

// one is a session that delivers one batch.
type one struct {
	deliveries []inbox.Delivery
	taken      atomic.Bool
	acked      chan struct{}
}

func (o *one) Receive(ctx context.Context, _ int) (inbox.Batch, error) {
	if o.taken.Swap(true) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return o, nil
}
func (o *one) Deliveries() []inbox.Delivery { return o.deliveries }
func (o *one) Ack() error                   { close(o.acked); return nil }
func (o *one) AckOnly(int) error            { return o.Ack() }
func (o *one) Close() error                 { return nil }
