package sample_test

import (
	"context"
	"net/http"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"go.example/saga/internal/app"
	"go.example/saga/internal/sample/hotel"
	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/jsonmap"
	"go.example/saga/pkg/protocol"
	"go.example/saga/pkg/saga"
)

// However many reads keep their connections, the commands have theirs.
func TestReadsDoNotHoldUpCommands(t *testing.T) {
	t.Parallel()
	db, vhost := testenv.Database(t), testenv.Vhost(t)
	const reads = 20
	held, release := make(chan struct{}, reads), make(chan struct{})
	slow := hotelService
	slow.Reads = func(db *pgxpool.Pool, _ string, _ *zap.Logger) http.Handler {
		return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			_ = db.AcquireFunc(r.Context(), func(*pgxpool.Conn) error {
				held <- struct{}{}
				<-release
				return nil
			})
		})
	}
	s := handlers(settings(t, db, vhost))
	s.ListenAddr = freeAddr(t)
	daemon(t, func(ctx context.Context) error { return slow.Serve(ctx, s) })
	serve(t, db, vhost)
	ctx := context.Background()
	eventually(t, "ready", func() bool { return app.CheckHealth(ctx, s.HealthAddr) == nil })
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	var asked sync.WaitGroup
	t.Cleanup(func() {
		close(release)
		asked.Wait()
	})
	for range reads {
		asked.Go(func() {
			if res, err := client.Get("http://" + s.ListenAddr); err == nil {
				_ = res.Body.Close()
			}
		})
	}
	eventually(t, "as many as there are connections are at the database", func() bool { return len(held) == 4 })

	m, err := protocol.CommandMessage("trips", saga.State{ID: saga.ID(uuid.New()), Type: "room-reservation"}, saga.SendCommand{
		Step: hotel.StepName, Operation: saga.Request, Attempt: 1, Destination: testenv.Service,
		Payload: jsonmap.JSONMap{"hotelId": 1, "roomId": 3, "startDate": "2027-01-10", "endDate": "2027-01-12"},
	})
	require.NoError(t, err)
	publish(t, vhost, m)
	eventually(t, "booked", func() bool {
		var n int
		return db.QueryRow(ctx, `SELECT count(*) FROM booking`).Scan(&n) == nil && n == 1
	})
	require.Len(t, held, 4)
}
