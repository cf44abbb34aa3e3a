package sagapg_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"go.example/saga/pkg/saga"
	"go.example/saga/pkg/saga/sagapg"
)

// counted is a database that counts the questions.
type counted struct {
	sagapg.DB
	asked atomic.Int64
}

func (c *counted) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	c.asked.Add(1)
	return c.DB.QueryRow(ctx, sql, args...)
}

// The gate shuts when more run than are allowed, and opens when they have ended.
func TestGateShutsAndOpens(t *testing.T) {
	b := setup(t)
	gate := b.store.NewGate(b.db, 2)
	gate.Every(0)
	require.NoError(t, gate.Admit(b.ctx))
	ids := []saga.ID{b.start("K-1"), b.start("K-2")}
	require.NoError(t, gate.Admit(b.ctx), "as many as are allowed")
	ids = append(ids, b.start("K-3"), b.start("K-4"))
	err := gate.Admit(b.ctx)
	require.ErrorIs(t, err, sagapg.ErrOverloaded)
	require.ErrorContains(t, err, "more than the 2 that are allowed")

	b.step(ids[0], booked(nil), paid())
	require.ErrorIs(t, gate.Admit(b.ctx), sagapg.ErrOverloaded)
	b.step(ids[1], booked(nil), declined())
	b.exec(`UPDATE saga SET look_at = now() WHERE id = $1`, uuid.UUID(ids[1]))
	require.ErrorIs(t, gate.Admit(b.ctx), sagapg.ErrOverloaded, "what goes back runs too")
	b.step(ids[2], booked(nil), answer("room-booking", saga.Request, saga.OutcomeFailed))
	b.lookNow(ids[2])
	b.due(10)
	require.NoError(t, gate.Admit(b.ctx), "what is parked waits for somebody and does not run")
}

// However many ask, one looks, and all go by what it saw.
func TestGateLooksSeldom(t *testing.T) {
	b := setup(t)
	require.Equal(t, 250*time.Millisecond, b.store.NewGate(b.db, 1).Every(time.Hour))
	db := &counted{DB: b.db}
	gate := b.store.NewGate(db, 1)
	gate.Every(time.Hour)
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			for range 100 {
				if err := gate.Admit(b.ctx); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	require.EqualValues(t, 1, db.asked.Load())
	b.start("K-1")
	b.start("K-2")
	require.NoError(t, gate.Admit(b.ctx))
	gate.Every(0)
	require.ErrorIs(t, gate.Admit(b.ctx), sagapg.ErrOverloaded)
	require.EqualValues(t, 2, db.asked.Load())
}

// While one looks and the database does not answer, the others go by what was seen
// before; where nothing was, they wait as long as they can.
func TestGateWhileTheDatabaseIsSilent(t *testing.T) {
	b := setup(t)
	for _, seen := range []bool{true, false} {
		gate := b.store.NewGate(b.db, 1)
		gate.Every(0)
		if seen {
			require.NoError(t, gate.Admit(b.ctx))
		}
		silent, err := b.db.Begin(b.ctx)
		require.NoError(t, err)
		_, err = silent.Exec(b.ctx, `LOCK TABLE saga`)
		require.NoError(t, err)
		patience, over := context.WithCancel(b.ctx)
		looked := make(chan error, 1)
		go func() { looked <- gate.Admit(patience) }()
		require.Eventually(t, func() bool {
			return b.count(`SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`) == 1
		}, 20*time.Second, 10*time.Millisecond)
		hurry, soon := context.WithCancel(b.ctx)
		soon()
		err = gate.Admit(hurry)
		if seen {
			require.NoError(t, err)
		} else {
			require.ErrorIs(t, err, context.Canceled)
		}
		over()
		require.ErrorIs(t, <-looked, context.Canceled)
		require.NoError(t, silent.Rollback(b.ctx))
		require.NoError(t, gate.Admit(b.ctx), "who gave up is in nobody's way")
	}
}
